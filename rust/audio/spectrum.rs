//! The power spectrum of a short window.

use std::f32::consts::PI;
use std::sync::OnceLock;

/// Points of the transform.
pub const POINTS: usize = 512;

/// Cosine and sine of each step around the circle.
fn twiddles() -> &'static [(f32, f32)] {
    static TABLE: OnceLock<Vec<(f32, f32)>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let angle = |step: usize| 2.0 * PI * step as f32 / POINTS as f32;
        (0..POINTS / 2).map(|step| (angle(step).cos(), -angle(step).sin())).collect()
    })
}

/// Fills `power` with |X|² of the lowest bins of `window`, padded with zeros to [`POINTS`].
pub fn power_into(window: &[f32], power: &mut [f32]) {
    let mut points = [(0.0_f32, 0.0_f32); POINTS];
    for (index, &sample) in window.iter().enumerate() {
        points[index.reverse_bits() >> (usize::BITS - POINTS.ilog2())].0 = sample;
    }
    let twiddles = twiddles();
    let mut half = 1;
    while half < POINTS {
        let stride = POINTS / 2 / half;
        for block in points.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for ((a, b), &(cos, sin)) in low.iter_mut().zip(high).zip(twiddles.iter().step_by(stride)) {
                let turned = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - turned.0, a.1 - turned.1);
                *a = (a.0 + turned.0, a.1 + turned.1);
            }
        }
        half *= 2;
    }
    for (power, (re, im)) in power.iter_mut().zip(points) {
        *power = re * re + im * im;
    }
}
