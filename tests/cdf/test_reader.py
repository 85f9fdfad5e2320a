# SPDX-License-Identifier: BSD-3-Clause

from __future__ import annotations

from collections import Counter
from datetime import date

import numpy as np
import pycdfpp
import pytest

from padflow.cdf.reader import inspect, read_records
from padflow.errors import BadFile
from padflow.instruments.instrument import EnergyAxis, PitchAngleAxis, load_instrument

REPT, HOPE = load_instrument("rept"), load_instrument("hope")
# With the energies of its file in place of its grid.
MAGEIS = load_instrument("mageis").model_copy(update={"energy": EnergyAxis(variable="FEDU_Energy", units="keV")})
DAY = date(2013, 3, 17)
IBMPC, NETWORK = 6, 1  # little and big endian


@pytest.fixture
def rept_file(tmp_path, factory):
    return factory.write_rept(tmp_path / "rept.cdf")


def refused(path, instrument=REPT, day=DAY):
    with pytest.raises(BadFile) as caught:
        inspect(path, instrument, "rbspa", day)
    assert str(path) in caught.value.message
    return caught.value.reason


def expected_flux(path, name="FEDU"):
    values = np.array(pycdfpp.load(str(path))[name].values, np.float64)
    return np.where((values <= -9e30) | (values < 0), np.nan, values).astype(np.float32)


@pytest.mark.parametrize("kind", [31, 32, 33])
@pytest.mark.parametrize("compress", [0, 6])
def test_rept_equals_pycdfpp(tmp_path, factory, kind, compress):
    path = factory.write_rept(tmp_path / "rept.cdf", kind=kind, compress=compress, records=70)
    facts = inspect(path, REPT, "rbspa", DAY)
    records, notes = read_records(path, REPT, "rbspa")

    times = np.datetime64("2013-03-17T00:00:05.450", "ns") + np.arange(70) * np.timedelta64(10_900, "ms")
    np.testing.assert_array_equal(records.time, times)
    np.testing.assert_array_equal(facts.times, times)
    assert records.time.dtype == "datetime64[ns]"
    np.testing.assert_array_equal(records.flux, expected_flux(path))
    assert records.flux.dtype == np.float32
    assert records.flux.flags.c_contiguous
    assert notes == {
        "fill": 10,
        "negative": 0,
        "nonfinite": 0,
        "outside_grid": 0,
        "missing_neighbour": 0,
        "no_time": 0,
    }
    np.testing.assert_array_equal(facts.energy, factory.REPT_ENERGY)
    assert facts.pitch_angle[8] == 90
    assert facts.absent == ()
    for name, values in records.ephemeris.items():
        np.testing.assert_array_equal(values, pycdfpp.load(str(path))[name].values.astype(np.float32), err_msg=name)
    assert records.ephemeris["Position"].shape == (70, 3)


@pytest.mark.parametrize("majority", ["row_major", "column_major"])
@pytest.mark.parametrize("encoding", [IBMPC, NETWORK])
@pytest.mark.parametrize("compressed", [0, 6])
def test_storage_makes_no_difference(tmp_path, factory, rept_file, majority, encoding, compressed):
    path = factory.write_cdf(
        tmp_path / "other.cdf", factory.rept(), Majority=majority, Encoding=encoding, Compressed=compressed
    )
    assert path.read_bytes() != rept_file.read_bytes() or (majority, encoding, compressed) == (
        "row_major",
        IBMPC,
        0,
    )
    records, notes = read_records(path, REPT, "rbspa")
    reference, reference_notes = read_records(rept_file, REPT, "rbspa")
    np.testing.assert_array_equal(records.flux, reference.flux)
    np.testing.assert_array_equal(records.time, reference.time)
    np.testing.assert_array_equal(records.ephemeris["Position"], reference.ephemeris["Position"])
    assert notes == reference_notes
    assert inspect(path, REPT, "rbspa", DAY)


def test_many_compressed_blocks_and_a_partial_last_one(tmp_path, factory):
    content = factory.rept(records=205)
    for name in ("FEDU", "Epoch", "L"):
        content[name]["spec"] |= {"Compress": 9, "Block_Factor": 10}
    path = factory.write_cdf(tmp_path / "blocks.cdf", content)
    records, _ = read_records(path, REPT, "rbspa")
    np.testing.assert_array_equal(records.flux, expected_flux(path))
    np.testing.assert_array_equal(records.ephemeris["L"], content["L"]["data"].astype(np.float32))


def test_ephemeris_with_too_few_records_is_not_used(tmp_path, factory):
    content = factory.rept()
    content["L"] = factory.variable(content["L"]["data"], Sparse="prev_sparse")
    values = content["L"]["data"]
    content["L"]["data"] = [np.array([0, 1, 5]), values[[0, 1, 5]]]
    path = factory.write_cdf(tmp_path / "sparse.cdf", content)
    records, notes = read_records(path, REPT, "rbspa")
    assert notes["absent:L"] == 40  # six records where there are forty: it cannot be used
    assert np.isnan(records.ephemeris["L"]).all()


def test_values_that_are_no_measurement(tmp_path, factory):
    content = factory.rept()
    flux = np.full((40, 17, 12), 7.0)
    flux[0, 0, :9] = [-1e31, np.float32(-1e31), np.nan, 999.0, -1.0, np.inf, 1e39, 0.0, -9.0e29]
    content["FEDU"] = factory.variable(flux, fill=999.0)
    records, notes = read_records(factory.write_cdf(tmp_path / "odd.cdf", content), REPT, "rbspa")
    first = records.flux[0, 0, :9]
    np.testing.assert_array_equal(np.isnan(first), [True, True, True, True, True, True, True, False, True])
    assert first[7] == 0
    assert {name: notes[name] for name in ("fill", "negative", "nonfinite")} == {
        "fill": 4,
        "negative": 2,
        "nonfinite": 2,
    }
    assert np.isfinite(records.flux[1:]).all()


def with_fills(factory, fill):
    """A day of which some values of all kinds are 999, and whose FILLVAL are ``fill``: a number's text or another."""
    content = factory.rept()
    for name in ("FEDU", "L", "Position", "FEDU_Energy"):
        content[name]["attributes"]["FILLVAL"] = fill
    content["FEDU"]["data"][3] = 999
    content["L"]["data"][4:6] = 999
    content["Position"]["data"][7, 1] = 999
    return content


@pytest.mark.parametrize("fill", ["999", " 9.99e2 ", [999, "CDF_INT4"], [999, "CDF_UINT2"], [999, "CDF_REAL4"]])
def test_a_fill_of_any_type_is_found(tmp_path, factory, fill):
    path = factory.write_cdf(tmp_path / "fill.cdf", with_fills(factory, fill))
    records, notes = read_records(path, REPT, "rbspa")
    assert np.isnan(records.flux[3]).all()
    assert notes["fill"] >= 17 * 12
    assert np.flatnonzero(np.isnan(records.ephemeris["L"])).tolist() == [4, 5]
    assert np.argwhere(np.isnan(records.ephemeris["Position"])).tolist() == [[7, 1]]
    assert not any(name.startswith("unread_fill") for name in inspect(path, REPT, "rbspa", DAY).notes)


def test_a_fill_that_is_no_number_is_noted(tmp_path, factory):
    path = factory.write_cdf(tmp_path / "fill.cdf", with_fills(factory, "none of these"))
    notes = inspect(path, REPT, "rbspa", DAY).notes
    assert {name for name in notes if name.startswith("unread_fill")} == {
        f"unread_fill:{name}" for name in ("FEDU", "L", "Position", "FEDU_Energy")
    }
    assert (read_records(path, REPT, "rbspa")[0].flux[3] == 999).all()


@pytest.mark.parametrize("kind", [31, 33])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_time_that_is_the_fill_is_none(tmp_path, factory, kind, as_text):
    content = factory.rept(kind=kind)
    fill = content["Epoch"]["data"][5]
    name = {31: "CDF_EPOCH", 33: "CDF_TIME_TT2000"}[kind]
    content["Epoch"]["attributes"]["FILLVAL"] = repr(fill.item()) if as_text else [fill, name]
    path = factory.write_cdf(tmp_path / "fill.cdf", content)
    records, notes = read_records(path, REPT, "rbspa")
    assert np.flatnonzero(np.isnat(records.time)).tolist() == [5]
    assert notes["no_time"] == 1


def test_fill_is_found_before_units_are_changed(tmp_path, factory):
    """Times 1000, a float32 fill would become another number, and the largest values infinite."""
    content = factory.rept()
    flux = np.full((40, 17, 12), 2.5, np.float32)
    flux[0, 0, :3] = [-1e31, 3e37, 0]
    content["FEDU"] = factory.variable(flux, factory.REAL4, units="cm!e-2!ns!e-1!nsr!e-1!nkeV!e-1!n")
    content["FEDU_Energy"] = factory.variable(factory.REPT_ENERGY * 1000, varies=False, units="keV")
    path = factory.write_cdf(tmp_path / "kev.cdf", content)
    records, notes = read_records(path, MAGEIS, "rbspa")
    assert (notes["fill"], notes["nonfinite"]) == (1, 1)
    np.testing.assert_array_equal(records.flux[0, 0, :3], [np.nan, np.nan, 0])
    assert (records.flux[1:] == 2500).all()
    np.testing.assert_allclose(inspect(path, MAGEIS, "rbspa", DAY).energy, factory.REPT_ENERGY, rtol=1e-14)


def mageis(factory, energy, flux):
    content = factory.rept(records=len(flux))
    content["FEDU"] = factory.variable(flux, units="cm!e-2!ns!e-1!nsr!e-1!nkeV!e-1!n")
    content["FEDU_Alpha"] = factory.variable(np.linspace(180 / 22, 180 - 180 / 22, 11), varies=False)
    content["FEDU_Energy"] = energy
    return content


@pytest.mark.parametrize("per_record", [False, True])
def test_mageis_energies_fixed_or_repeated_in_every_record(tmp_path, factory, per_record):
    energy = np.geomspace(20, 4000, 25)
    flux = np.random.default_rng(1).gamma(1, 10, (30, 11, 25))
    flux[:, :, -2:] = -1e31
    stored = np.tile(energy, (30, 1)) if per_record else energy
    if per_record:
        stored[3] = -1e31
    content = mageis(factory, factory.variable(stored, varies=per_record, units="keV"), flux)
    path = factory.write_cdf(tmp_path / "mageis.cdf", content)
    records, notes = read_records(path, MAGEIS, "rbspa")
    np.testing.assert_allclose(inspect(path, MAGEIS, "rbspa", DAY).energy, energy / 1000, rtol=1e-14)
    assert np.isnan(records.flux[:, :, -2:]).all()
    np.testing.assert_array_equal(records.flux[:, :, :-2], (flux[:, :, :-2] * 1000).astype(np.float32))
    assert notes["fill"] == 30 * 11 * 2


def test_channels_without_an_energy_are_left_out(tmp_path, factory):
    energy = np.append(np.geomspace(20, 4000, 23), [-1e31, -1e31])
    flux = np.random.default_rng(1).gamma(1, 10, (30, 11, 25))
    content = mageis(factory, factory.variable(energy, varies=False, units="keV"), flux)
    path = factory.write_cdf(tmp_path / "mageis.cdf", content)
    records, _ = read_records(path, MAGEIS, "rbspa")
    assert records.flux.shape == (30, 11, 23)
    np.testing.assert_allclose(inspect(path, MAGEIS, "rbspa", DAY).energy, energy[:23] / 1000)


def test_varying_energies_need_a_grid(tmp_path, factory):
    energy = np.tile(np.geomspace(20, 4000, 25), (30, 1))
    energy[10:] *= 1.1
    flux = np.repeat(1e6 * energy[:, None, :] ** -2.0, 11, axis=1)
    content = mageis(factory, factory.variable(energy, units="keV"), flux)
    path = factory.write_cdf(tmp_path / "mageis.cdf", content)
    assert refused(path, MAGEIS) == "varying_axis"

    grid = (0.02, 0.1, 1.0, 4.2)
    instrument = MAGEIS.model_copy(update={"energy": EnergyAxis(variable="FEDU_Energy", units="keV", grid=grid)})
    records, notes = read_records(path, instrument, "rbspa")
    np.testing.assert_array_equal(inspect(path, instrument, "rbspa", DAY).energy, grid)
    power_law = 1e9 * (np.array(grid) * 1000) ** -2.0
    np.testing.assert_allclose(records.flux[:10, :, :3], np.tile(power_law[:3], (10, 11, 1)), rtol=1e-6)
    np.testing.assert_allclose(records.flux[10:, :, 1:], np.tile(power_law[1:], (20, 11, 1)), rtol=1e-6)
    assert np.isnan(records.flux[:10, :, 3]).all()
    assert np.isnan(records.flux[10:, :, 0]).all()
    assert notes["outside_grid"] == 30 * 11


def test_leading_axes_of_length_one_and_descending_axes(tmp_path, factory):
    content = factory.rept()
    reference, _ = read_records(factory.write_cdf(tmp_path / "a.cdf", content), REPT, "rbspa")
    alpha = content["FEDU_Alpha"]["data"]
    content["FEDU_Alpha"] = factory.variable(alpha[None, ::-1], varies=False)
    content["FEDU_Energy"] = factory.variable(factory.REPT_ENERGY[::-1])  # one value a record
    content["FEDU"] = factory.variable(content["FEDU"]["data"][:, ::-1, ::-1])
    path = factory.write_cdf(tmp_path / "b.cdf", content)
    records, _ = read_records(path, REPT, "rbspa")
    np.testing.assert_array_equal(records.flux, reference.flux)
    facts = inspect(path, REPT, "rbspa", DAY)
    np.testing.assert_array_equal(facts.pitch_angle, alpha)
    np.testing.assert_array_equal(facts.energy, factory.REPT_ENERGY)


def some_records(factory, how):
    content = factory.rept(records=40)
    flux = np.random.default_rng(2).gamma(1, 10, (40, 17, 12)).astype(np.float32)
    flux[[3, 20, 33], 0, 0] = -1e31
    content["FEDU"] = factory.variable(flux, factory.REAL4, compress=6 * (how == "gzipped blocks"), block=7)
    if how == "sparse":
        content["L"] = factory.variable(content["L"]["data"], Sparse="prev_sparse")
    if how in ("energies that vary", "energies beside the grid"):
        energy = np.geomspace(20, 4000, 12) * np.linspace(1, 1.2, 40)[:, None]
        varies = how == "energies that vary"
        energy = factory.variable(energy if varies else energy[0], varies=varies, units="keV")
        content = mageis(factory, energy, flux[:, :11].astype(float))
    return content


@pytest.mark.parametrize(
    "how",
    ["blocks", "gzipped blocks", "sparse", "columns first", "energies that vary", "energies beside the grid"],
)
def test_some_records_are_those_of_the_whole_file(tmp_path, factory, how):
    spec = {"Majority": "column_major"} if how == "columns first" else {}
    path = factory.write_cdf(tmp_path / "file.cdf", some_records(factory, how), **spec)
    instrument = load_instrument("mageis") if how.startswith("energies") else REPT
    whole, notes = read_records(path, instrument, "rbspa")
    total = Counter()
    for first, end in ((0, 7), (7, 20), (20, 21), (21, 40)):
        records, found = read_records(path, instrument, "rbspa", wanted=lambda _, some=slice(first, end): some)
        total.update(found)
        np.testing.assert_array_equal(records.time, whole.time[first:end])
        np.testing.assert_array_equal(records.flux, whole.flux[first:end])
        for name, values in whole.ephemeris.items():
            np.testing.assert_array_equal(records.ephemeris[name], values[first:end], err_msg=name)
    assert total == notes
    assert notes["fill"] >= 3


def test_ephemeris_missing_in_file_or_value(tmp_path, factory):
    content = factory.rept()
    del content["L_star"]
    content["MLT"]["data"][:3] = -1e31
    path = factory.write_cdf(tmp_path / "eph.cdf", content)
    records, notes = read_records(path, REPT, "rbspa")
    assert notes["absent:L_star"] == 40
    assert "absent:MLT" not in notes
    assert np.isnan(records.ephemeris["L_star"]).all()
    assert records.ephemeris["L_star"].shape == (40,)
    assert np.isnan(records.ephemeris["MLT"]).sum() == 3
    assert inspect(path, REPT, "rbspa", DAY).absent == ("L_star",)


def test_invalid_and_stray_times_are_kept_and_counted(tmp_path, factory):
    content = factory.rept()
    content["Epoch"]["data"][5] = -1e31
    content["Epoch"]["data"][[6, 7]] += np.array([2, -2]) * 86_400_000
    path = factory.write_cdf(tmp_path / "times.cdf", content)
    facts = inspect(path, REPT, "rbspa", DAY)
    assert np.flatnonzero(np.isnat(facts.times)) == [5]
    midnight = np.datetime64(DAY, "ns")
    outside = (facts.times < midnight) | (facts.times >= midnight + np.timedelta64(1, "D"))
    assert np.flatnonzero(outside).tolist() == [6, 7]
    records, notes = read_records(path, REPT, "rbspa")
    assert len(records) == 40
    assert notes["no_time"] == 1


def test_reasons(tmp_path, factory):
    def variant(change):
        content = factory.rept()
        change(content)
        return factory.write_cdf(tmp_path / "variant.cdf", content)

    variable = factory.variable
    assert refused(variant(lambda c: c.pop("FEDU"))) == "missing_variable"
    assert refused(variant(lambda c: c.pop("Epoch"))) == "missing_variable"
    assert refused(variant(lambda c: c.pop("FEDU_Alpha"))) == "missing_variable"
    assert refused(variant(lambda c: c.update(Epoch=variable(np.arange(40.0))))) == "wrong_type"
    assert refused(variant(lambda c: c.update(FEDU=variable(np.ones((39, 17, 12)))))) == "wrong_shape"
    assert refused(variant(lambda c: c.update(FEDU=variable(np.ones((40, 17)))))) == "wrong_shape"
    assert refused(variant(lambda c: c.update(FEDU=variable(np.ones((40, 16, 12)))))) == "wrong_shape"
    assert refused(variant(lambda c: c["FEDU"]["attributes"].update(UNITS="1/(cm2 s sr keV)"))) == "wrong_units"
    assert refused(variant(lambda c: c["FEDU_Energy"]["attributes"].update(UNITS="KeV"))) == "wrong_units"
    assert refused(variant(lambda c: c["Epoch"]["data"].fill(0))) == "no_valid_time"
    assert refused(variant(lambda c: c["FEDU"]["data"].fill(-1e31))) == "all_fill"
    assert refused(variant(lambda c: c["FEDU_Energy"]["data"].fill(2))) == "bad_axis"
    assert refused(variant(lambda c: c["FEDU_Energy"]["data"].fill(-1e31))) == "bad_axis"
    assert refused(variant(lambda c: c["FEDU_Alpha"]["data"].__iadd__(90))) == "bad_axis"
    path = variant(lambda c: None)
    assert refused(path, day=date(2013, 3, 18)) == "wrong_day"
    assert refused(path, HOPE) == "missing_variable"
    assert inspect(path, REPT, "rbspa", DAY)  # the unchanged one is good


def test_ten_minutes_beyond_the_day_are_its_own(tmp_path, factory):
    content = factory.rept(records=2)
    content["Epoch"]["data"][:] += 86_400_000
    path = factory.write_cdf(tmp_path / "late.cdf", content)
    assert inspect(path, REPT, "rbspa", DAY)


def test_one_valid_value_far_from_the_end_is_enough(tmp_path, factory):
    content = factory.rept(records=300)
    content["FEDU"]["data"].fill(-1e31)
    content["FEDU"]["data"][2, 3, 4] = 0
    assert inspect(factory.write_cdf(tmp_path / "one.cdf", content), REPT, "rbspa", DAY)


def test_units_with_two_energies_are_not_judged(tmp_path, factory):
    content = factory.rept()
    content["FEDU"]["attributes"]["UNITS"] = "keV/(cm^2*s*str*MeV)"
    assert inspect(factory.write_cdf(tmp_path / "units.cdf", content), REPT, "rbspa", DAY)


def test_no_records(tmp_path, factory):
    content = factory.rept()
    content["Epoch"]["data"] = np.array([], np.float64)
    assert refused(factory.write_cdf(tmp_path / "none.cdf", content)) == "no_records"


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "gone.cdf") == "unreadable"


def test_hope_equals_pycdfpp(real_data):
    path = real_data / "hope" / "rbspa_rel04_ect-hope-PA-L3_20121201_v0.0.0.cdf"
    facts = inspect(path, HOPE, "rbspa", date(2012, 12, 1))
    records, notes = read_records(path, HOPE, "rbspa")
    file = pycdfpp.load(str(path))
    energy = file["HOPE_ENERGY_Ele"].values
    np.testing.assert_array_equal(facts.pitch_angle, file["PITCH_ANGLE"].values[0])
    np.testing.assert_allclose(facts.energy, energy[0] * 1e-6, rtol=1e-6)

    raw = file["FEDU"].values
    ordinary = (np.abs(energy / energy[0] - 1) < 1e-6).all(axis=1)
    assert ordinary.sum() == 80
    expected = np.where(raw <= -9e30, np.nan, raw * np.float32(1000))
    np.testing.assert_array_equal(records.flux[ordinary], expected[ordinary])
    assert notes["fill"] == np.count_nonzero(raw <= -9e30) == 14_400
    assert np.isnan(records.flux[:, [0, 10]]).all()
    assert notes["absent:L"] == 100

    one = np.flatnonzero(~ordinary)[0]  # nine energies, eight times each
    assert len(np.unique(energy[one])) == 9
    first, second = np.unique(energy[one])[:2].astype(float)
    point = np.flatnonzero((facts.energy * 1e6 > first) & (facts.energy * 1e6 < second))[0]
    means = [expected[one, 5, np.isclose(energy[one], e, rtol=1e-6)].astype(float).mean() for e in (first, second)]
    weight = np.log(facts.energy[point] * 1e6 / first) / np.log(second / first)
    np.testing.assert_allclose(records.flux[one, 5, point], means[0] ** (1 - weight) * means[1] ** weight, rtol=1e-5)
    assert np.isnan(records.flux[one, 5, : np.flatnonzero(facts.energy * 1e6 > first * 0.99)[0]]).all()
    times = pycdfpp.to_datetime64(file["Epoch_Ele"])
    assert np.abs(records.time - times).max() <= np.timedelta64(1000, "ns")
    np.testing.assert_array_equal(records.ephemeris["Position"], file["Position_Ele"].values)


@pytest.mark.parametrize(("spin", "sectors"), [("hs", 10), ("fs", 18)])
def test_elfin_equals_interpolation_one_by_one(real_data, spin, sectors):
    path = real_data / "elfin" / "elb_l2_epdef_20210914_v01.cdf"
    instrument = load_instrument(f"elfin-epd-{spin}")
    facts = inspect(path, instrument, "elb", date(2021, 9, 14))
    records, notes = read_records(path, instrument, "elb")
    file = pycdfpp.load(str(path))
    flux = file[f"elb_pef_{spin}_Epat_nflux"].values.astype(float)
    angle = file[f"elb_pef_{spin}_epa_spec"].values.astype(float)
    assert flux.shape[1] == sectors
    grid = np.array(instrument.pitch_angle.grid)
    angle = np.where(angle < 0, -angle, np.where(angle > 180, 360 - angle, angle))
    for n in range(len(flux)):
        order = np.argsort(angle[n])
        for e in range(16):
            by_numpy = np.interp(grid, angle[n][order], flux[n, order, e], left=np.nan, right=np.nan)
            np.testing.assert_allclose(records.flux[n, :, e], by_numpy, rtol=1e-5, equal_nan=True)
    outside = (grid < angle.min(axis=1, keepdims=True)) | (grid > angle.max(axis=1, keepdims=True))
    assert notes["outside_grid"] == outside.sum() * 16
    assert notes["fill"] == np.isnan(flux).sum()
    assert facts.energy[0] == pytest.approx(0.06324554)
    np.testing.assert_array_equal(records.time, pycdfpp.to_datetime64(file[f"elb_pef_{spin}_time"]))
    assert records.flux.shape == (len(flux), len(grid), 16)


def test_without_a_grid_elfin_angles_vary(real_data):
    path = real_data / "elfin" / "elb_l2_epdef_20210914_v01.cdf"
    axis = PitchAngleAxis(variable="{spacecraft}_pef_hs_epa_spec")
    instrument = load_instrument("elfin-epd-hs").model_copy(update={"pitch_angle": axis})
    with pytest.raises(BadFile) as caught:
        inspect(path, instrument, "elb", date(2021, 9, 14))
    assert caught.value.reason == "varying_axis"
