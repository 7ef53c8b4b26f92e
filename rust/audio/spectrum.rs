//! The power spectrum of a short window.

use std::array::from_fn;
use std::f32::consts::PI;
use std::sync::OnceLock;

/// Points of the transform.
pub const POINTS: usize = 512;
/// Real samples by two make half as many complex ones, whose transform holds that of the samples.
const HALF: usize = POINTS / 2;
/// Those in a square: transformed down the columns, turned on its side, and transformed again. So each step
/// is one of whole rows, and the compiler takes many numbers at a time.
const SIDE: usize = 16;

type Row = [f32; SIDE];
type Square = [Row; SIDE];

/// Real and imaginary parts.
#[derive(Clone, Copy)]
struct Complex<T> {
    re: T,
    im: T,
}

struct Tables {
    /// Steps around half of a circle of `SIDE`.
    side: [Complex<f32>; SIDE / 2],
    /// Row times column steps around one of `HALF`.
    square: Complex<Square>,
    /// Steps around half of one of `POINTS`.
    bins: Complex<[f32; HALF]>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let angle = |step: usize, circle: usize| -2.0 * PI * step as f32 / circle as f32;
        let square = |part: fn(f32) -> f32| from_fn(|row| from_fn(|column| part(angle(row * column, HALF))));
        let bins = |part: fn(f32) -> f32| from_fn(|bin| part(angle(bin, POINTS)));
        Tables {
            side: from_fn(|step| Complex { re: angle(step, SIDE).cos(), im: angle(step, SIDE).sin() }),
            square: Complex { re: square(f32::cos), im: square(f32::sin) },
            bins: Complex { re: bins(f32::cos), im: bins(f32::sin) },
        }
    })
}

/// Fills `power` with |X|² of the lowest bins of `window`, padded with zeros to [`POINTS`].
///
/// `window` has an even length, at most that of the transform; `power` at most half of that, and not none.
#[inline(always)]
pub fn power_into(window: &[f32], power: &mut [f32]) {
    let tables = tables();
    let mut points = Complex { re: [[0.0; SIDE]; SIDE], im: [[0.0; SIDE]; SIDE] };
    let places = points.re.as_flattened_mut().iter_mut().zip(points.im.as_flattened_mut());
    for ((re, im), pair) in places.zip(window.as_chunks::<2>().0) {
        [*re, *im] = *pair;
    }
    transform_columns(&mut points, tables);
    points = turned_and_transposed(&points, &tables.square);
    transform_columns(&mut points, tables);

    let (re, im) = (points.re.as_flattened(), points.im.as_flattened());
    power[0] = (re[0] + im[0]).powi(2);
    let bins = power.len();
    let mirrored = re[HALF + 1 - bins..].iter().rev().zip(im[HALF + 1 - bins..].iter().rev());
    let turns = tables.bins.re[1..].iter().zip(&tables.bins.im[1..]);
    let points = re[1..].iter().zip(&im[1..]).zip(mirrored).zip(turns);
    for (power, (((re, im), (mirrored_re, mirrored_im)), (cos, sin))) in power[1..].iter_mut().zip(points) {
        let (even, odd) = ((re + mirrored_re, im - mirrored_im), (im + mirrored_im, mirrored_re - re));
        let doubled = (even.0 + odd.0 * cos - odd.1 * sin, even.1 + odd.0 * sin + odd.1 * cos);
        *power = (doubled.0 * doubled.0 + doubled.1 * doubled.1) / 4.0;
    }
}

/// The transform of each column, all of them side by side: radix 2, decimation in time.
#[inline(always)]
fn transform_columns(points: &mut Complex<Square>, tables: &Tables) {
    for row in 0..SIDE {
        let mirrored = row.reverse_bits() >> (usize::BITS - SIDE.ilog2());
        if row < mirrored {
            points.re.swap(row, mirrored);
            points.im.swap(row, mirrored);
        }
    }
    let mut half = 1;
    while half < SIDE {
        let blocks = points.re.chunks_exact_mut(2 * half).zip(points.im.chunks_exact_mut(2 * half));
        for (re, im) in blocks {
            let (re, im) = (re.split_at_mut(half), im.split_at_mut(half));
            let low = re.0.iter_mut().zip(im.0);
            let high = re.1.iter_mut().zip(im.1);
            let turns = tables.side.iter().step_by(SIDE / 2 / half);
            for (((low_re, low_im), (high_re, high_im)), turn) in low.zip(high).zip(turns) {
                butterfly(low_re, low_im, high_re, high_im, *turn);
            }
        }
        half *= 2;
    }
}

#[inline(always)]
fn butterfly(low_re: &mut Row, low_im: &mut Row, high_re: &mut Row, high_im: &mut Row, turn: Complex<f32>) {
    for column in 0..SIDE {
        let re = high_re[column] * turn.re - high_im[column] * turn.im;
        let im = high_re[column] * turn.im + high_im[column] * turn.re;
        high_re[column] = low_re[column] - re;
        high_im[column] = low_im[column] - im;
        low_re[column] += re;
        low_im[column] += im;
    }
}

#[inline(always)]
fn turned_and_transposed(points: &Complex<Square>, turns: &Complex<Square>) -> Complex<Square> {
    let mut turned = *points;
    for row in 0..SIDE {
        for column in 0..SIDE {
            let (re, im) = (points.re[row][column], points.im[row][column]);
            let turn = (turns.re[row][column], turns.im[row][column]);
            turned.re[row][column] = re * turn.0 - im * turn.1;
            turned.im[row][column] = re * turn.1 + im * turn.0;
        }
    }
    let transposed = |square: &Square| from_fn(|row| from_fn(|column| square[column][row]));
    Complex { re: transposed(&turned.re), im: transposed(&turned.im) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition, in doubles.
    fn power_of(window: &[f32], bin: usize) -> f64 {
        let angle = |index: usize| -2.0 * std::f64::consts::PI * (bin * index) as f64 / POINTS as f64;
        let sum = |part: fn(f64) -> f64| -> f64 {
            window.iter().enumerate().map(|(index, sample)| f64::from(*sample) * part(angle(index))).sum()
        };
        sum(f64::cos).powi(2) + sum(f64::sin).powi(2)
    }

    #[test]
    fn the_power_is_that_of_the_definition() {
        for len in [2, 320, POINTS] {
            // A sequence without a period, and with an offset.
            let window: Vec<f32> = (0..len).map(|index| (index * index % 31) as f32 / 31.0).collect();
            let mut power = [0.0; HALF];
            power_into(&window, &mut power);
            let total: f64 = window.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            for (bin, power) in power.iter().enumerate() {
                let expected = power_of(&window, bin);
                let error = (f64::from(*power) - expected).abs();
                assert!(error < 1e-5 * expected + 1e-5 * total, "bin {bin} of {len}: {power} for {expected}");
            }
        }
    }
}
