# SPDX-License-Identifier: BSD-3-Clause
"""Where a simulated Van Allen Probe is: Kepler orbit with J2 precession in a tilted dipole field.

Units: km, nT, degrees; times are integer milliseconds of Unix time (UTC).
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass

import numpy as np

EARTH_MU_KM3_S2 = 398600.4418  # WGS 84


EARTH_J2 = 1.08263e-3  # WGS 84


EQUATORIAL_RADIUS_KM = 6378.137  # WGS 84; the length that goes with J2


EARTH_RADIUS_KM = 6371.2  # the IGRF's reference radius: one R_E here


DIPOLE_NT = np.array([-1501.77, 4795.99, -29441.46])  # IGRF-13 for 2015.0: g11, h11, g10


B0_NT = float(np.linalg.norm(DIPOLE_NT))  # field at the dipole's equator at 1 R_E


DIPOLE_AXIS = -DIPOLE_NT / B0_NT  # geographic unit vector to the northern geomagnetic pole


MS_PER_DAY = 86_400_000


J2000_MS = 946_728_000_000  # 2000-01-01 12:00


LAUNCH_MS = 1_346_457_600_000  # 2012-09-01, the day the elements below are for


APOGEE_MLT_AT_LAUNCH = 6.0  # the mission began near dawn (Mauk 2013, 10.1007/s11214-012-9908-y)


NODE_AT_LAUNCH_DEGREES = 60.0  # chosen


@dataclass(frozen=True)
class Orbit:
    """An elliptic orbit; perigee and apogee are heights above 6371.2 km."""

    perigee_km: float
    apogee_km: float
    inclination_degrees: float
    anomaly_at_launch_degrees: float

    @property
    def semi_major_axis_km(self) -> float:
        """Half the sum of the geocentric perigee and apogee."""
        return EARTH_RADIUS_KM + (self.perigee_km + self.apogee_km) / 2

    @property
    def eccentricity(self) -> float:
        """Eccentricity, dimensionless."""
        return (self.apogee_km - self.perigee_km) / 2 / self.semi_major_axis_km

    @property
    def period_seconds(self) -> float:
        """Kepler's third law."""
        return 2 * math.pi * math.sqrt(self.semi_major_axis_km**3 / EARTH_MU_KM3_S2)

    @property
    def precession(self) -> tuple[float, float]:
        """Secular J2 drift of node and perigee, rad/s (Vallado, Fundamentals of Astrodynamics, 9.6)."""
        a, e, motion = self.semi_major_axis_km, self.eccentricity, 2 * math.pi / self.period_seconds
        rate = 1.5 * EARTH_J2 * motion * (EQUATORIAL_RADIUS_KM / (a * (1 - e**2))) ** 2
        cosine = math.cos(math.radians(self.inclination_degrees))
        return -rate * cosine, rate * (5 * cosine**2 - 1) / 2


# About 600 x 30,600 km at 10 degrees (Mauk 2013). They differ so that one laps the other in some 2.5 months.
ORBITS = {
    "rbspa": Orbit(600.0, 30_600.0, 10.2, anomaly_at_launch_degrees=0.0),
    "rbspb": Orbit(620.0, 30_430.0, 10.0, anomaly_at_launch_degrees=-130.0),
}


@dataclass(frozen=True)
class Track:
    """A spacecraft's path: arrays of shape (records,), geographic position (records, 3) in km, MLT in h."""

    position: np.ndarray
    L: np.ndarray
    MLT: np.ndarray
    MLAT: np.ndarray
    B_Calc: np.ndarray
    B_Eq: np.ndarray


def unix_ms(day: datetime.date) -> int:
    """Unix time of a day's midnight in milliseconds."""
    return (day.toordinal() - datetime.date(1970, 1, 1).toordinal()) * MS_PER_DAY


def eccentric_anomaly(mean_anomaly: np.ndarray, eccentricity: float) -> np.ndarray:
    """Solve Kepler's equation M = E - e sin E by Newton's method from Danby's start (rad)."""
    anomaly = mean_anomaly + 0.85 * eccentricity * np.sign(np.sin(mean_anomaly))
    for _ in range(10):
        residual = anomaly - eccentricity * np.sin(anomaly) - mean_anomaly
        anomaly = anomaly - residual / (1 - eccentricity * np.cos(anomaly))
    return anomaly


def sun_direction(time_ms: np.ndarray) -> np.ndarray:
    """Return unit vectors to the Sun, equatorial inertial frame (Astronomical Almanac, good to 0.01 deg)."""
    days = (np.asarray(time_ms, float) - J2000_MS) / MS_PER_DAY
    mean = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(mean) + 0.020 * np.sin(2 * mean))
    obliquity = math.radians(23.439)
    sine = np.sin(longitude)
    return np.stack([np.cos(longitude), math.cos(obliquity) * sine, math.sin(obliquity) * sine], axis=-1)


def to_geographic(vectors: np.ndarray, time_ms: np.ndarray) -> np.ndarray:
    """Turn equatorial inertial vectors by Greenwich sidereal time (IAU 1982, linear term)."""
    days = (np.asarray(time_ms, float) - J2000_MS) / MS_PER_DAY
    angle = np.radians((280.46061837 + 360.98564736629 * days) % 360)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([cosine * x + sine * y, cosine * y - sine * x, z], axis=-1)


def inertial_position(orbit: Orbit, time_ms: np.ndarray) -> np.ndarray:
    """Position in the equatorial inertial frame, km, shape (records, 3)."""
    seconds = (np.asarray(time_ms, float) - LAUNCH_MS) / 1000
    a, e = orbit.semi_major_axis_km, orbit.eccentricity
    mean = math.radians(orbit.anomaly_at_launch_degrees) + 2 * math.pi * seconds / orbit.period_seconds
    anomaly = eccentric_anomaly(mean % (2 * math.pi), e)
    along, across = a * (np.cos(anomaly) - e), a * math.sqrt(1 - e**2) * np.sin(anomaly)

    sun = sun_direction(np.array([LAUNCH_MS]))[0]
    apogee = math.atan2(sun[1], sun[0]) + math.radians(15) * (APOGEE_MLT_AT_LAUNCH - 12)
    node_rate, perigee_rate = orbit.precession
    node_at_launch = math.radians(NODE_AT_LAUNCH_DEGREES)
    node = node_at_launch + node_rate * seconds
    perigee = apogee - math.pi - node_at_launch + perigee_rate * seconds
    inclination = math.radians(orbit.inclination_degrees)
    in_plane_x = along * np.cos(perigee) - across * np.sin(perigee)
    in_plane_y = along * np.sin(perigee) + across * np.cos(perigee)
    return np.stack(
        [
            in_plane_x * np.cos(node) - in_plane_y * math.cos(inclination) * np.sin(node),
            in_plane_x * np.sin(node) + in_plane_y * math.cos(inclination) * np.cos(node),
            in_plane_y * math.sin(inclination),
        ],
        axis=-1,
    )


def magnetic_longitude(geographic: np.ndarray) -> np.ndarray:
    """Centred-dipole longitude in degrees, shape (records,); the origin is arbitrary."""
    east = np.cross(DIPOLE_AXIS, [0.0, 0.0, 1.0])
    east /= np.linalg.norm(east)
    third = np.cross(DIPOLE_AXIS, east)
    return np.degrees(np.arctan2(geographic @ third, geographic @ east))


def track(spacecraft: str, time_ms: np.ndarray) -> Track:
    """Follow a spacecraft, with the centred dipole's coordinates and field.

    ``L = r / cos^2(MLAT)``, ``B_Eq = B0 / L^3``, ``B = B0 / r^3 sqrt(1 + 3 sin^2(MLAT))`` with r in R_E;
    MLT is the dipole longitude from the Sun's, divided by 15, plus 12 h (Laundal and Richmond 2017,
    10.1007/s11214-016-0275-y).
    """
    time_ms = np.asarray(time_ms)
    position = to_geographic(inertial_position(ORBITS[spacecraft], time_ms), time_ms)
    sun = to_geographic(sun_direction(time_ms), time_ms)
    radius = np.sqrt((position**2).sum(axis=-1)) / EARTH_RADIUS_KM
    sine = position @ DIPOLE_AXIS / (radius * EARTH_RADIUS_KM)
    shell = radius / (1 - sine**2)
    return Track(
        position=position,
        L=shell,
        MLT=((magnetic_longitude(position) - magnetic_longitude(sun)) / 15 + 12) % 24,
        MLAT=np.degrees(np.arcsin(sine)),
        B_Calc=B0_NT / radius**3 * np.sqrt(1 + 3 * sine**2),
        B_Eq=B0_NT / shell**3,
    )
