//! A fade to silence.

/// A raised-cosine (Hann) gain from one to zero: no step and no corner at either end, hence no click.
#[derive(Debug, Clone, Copy)]
pub struct FadeOut {
    total_frames: u64,
    done_frames: u64,
}

impl FadeOut {
    /// A fade over `total_frames` frames.
    pub fn new(total_frames: u64) -> Self {
        Self { total_frames, done_frames: 0 }
    }

    /// Frames until silence.
    pub fn remaining_frames(&self) -> u64 {
        self.total_frames - self.done_frames
    }

    /// Applies the gain to the next frames of interleaved samples, at most `remaining_frames` of them.
    pub fn apply(&mut self, samples: &mut [i16], num_channels: usize) {
        for frame in samples.chunks_exact_mut(num_channels) {
            self.done_frames += 1;
            let phase = std::f32::consts::PI * self.done_frames as f32 / self.total_frames as f32;
            let gain = 0.5 * (1.0 + phase.cos());
            frame.iter_mut().for_each(|sample| *sample = (f32::from(*sample) * gain).round() as i16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_in_silence_without_a_step() {
        let mut fade = FadeOut::new(480);
        let mut samples = vec![20_000_i16; 960];
        fade.apply(&mut samples[..480], 2);
        fade.apply(&mut samples[480..], 2);
        assert_eq!(fade.remaining_frames(), 0);
        assert_eq!(samples[958..], [0, 0]);
        let largest_step = samples.chunks_exact(2).map(|f| f[0]).collect::<Vec<_>>();
        assert!(largest_step.windows(2).all(|pair| (0..=70).contains(&(pair[0] - pair[1]))));
    }
}
