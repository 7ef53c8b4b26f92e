//! From the written rate and channels to those of the listener.

use super::buffer::PlaybackConfig;
use super::reader::Source;
use crate::Result;
use crate::audio::pcm;
use crate::audio::resample::{MonoResampler, Quality};

/// The output stage of a buffer.
#[derive(Debug)]
pub struct Output {
    num_channels: usize,
    converter: Option<RateConverter>,
    /// Frames in the written channel count, on their way to the listener's.
    frames: Vec<i16>,
}

impl Output {
    /// The stage between what is written and what is read.
    pub fn new(config: &PlaybackConfig) -> Result<Self> {
        let converter = match config.sample_rate_hz == config.output_rate_hz {
            true => None,
            false => Some(RateConverter::new(config)?),
        };
        Ok(Self { num_channels: config.output_channels, converter, frames: Vec::new() })
    }

    /// Channels of a frame handed out.
    pub fn num_channels(&self) -> usize {
        self.num_channels
    }

    /// Fills `samples` from the source and returns the real frames.
    pub fn read(&mut self, source: &mut Source, samples: &mut [i16]) -> usize {
        if source.num_channels() == self.num_channels {
            return match &mut self.converter {
                Some(converter) => converter.read(source, samples),
                None => source.pull(samples),
            };
        }
        let source_channels = source.num_channels();
        self.frames.resize(samples.len() / self.num_channels * source_channels, 0);
        let real = match &mut self.converter {
            Some(converter) => converter.read(source, &mut self.frames),
            None => source.pull(&mut self.frames),
        };
        let pairs =
            samples.chunks_exact_mut(self.num_channels).zip(self.frames.chunks_exact(source_channels));
        pairs.take(real).for_each(|(out, frame)| out.fill(pcm::mean(frame)));
        real
    }

    /// Whether the filter still holds the end of a finished utterance.
    pub fn holds_tail(&self, source: &Source) -> bool {
        self.converter.as_ref().is_some_and(|converter| converter.holds_tail(source))
    }

    /// Forgets what the filter holds: it was interrupted.
    pub fn reset(&mut self) {
        if let Some(converter) = &mut self.converter {
            converter.reset();
        }
    }
}

/// One filter per channel, and the few frames that it gave beyond the last request.
#[derive(Debug)]
struct RateConverter {
    channels: Vec<Channel>,
    source_frames: Vec<i16>,
    /// Something went in since the last flush or reset.
    primed: bool,
}

#[derive(Debug)]
struct Channel {
    resampler: MonoResampler,
    input: Vec<i16>,
    /// Converted and not yet handed out.
    ready: Vec<i16>,
}

impl RateConverter {
    fn new(config: &PlaybackConfig) -> Result<Self> {
        let channel = || {
            let (from, to) = (config.sample_rate_hz, config.output_rate_hz);
            let resampler = MonoResampler::new(from, to, Quality::LowDelay)?;
            Ok(Channel { resampler, input: Vec::new(), ready: Vec::new() })
        };
        let channels = (0..config.num_channels).map(|_| channel()).collect::<Result<_>>()?;
        Ok(Self { channels, source_frames: Vec::new(), primed: false })
    }

    fn read(&mut self, source: &mut Source, samples: &mut [i16]) -> usize {
        let num_channels = self.channels.len();
        let wanted = samples.len() / num_channels;
        let missing = wanted.saturating_sub(self.ready_frames());
        if missing > 0 {
            self.pull(source, self.channels[0].resampler.input_frames_for(missing));
            if self.ready_frames() < wanted && self.holds_tail(source) {
                self.flush();
            }
        }
        let frames = wanted.min(self.ready_frames());
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let out = samples.iter_mut().skip(index).step_by(num_channels);
            out.zip(channel.ready.drain(..frames)).for_each(|(out, sample)| *out = sample);
        }
        frames
    }

    fn pull(&mut self, source: &mut Source, frames: usize) {
        let num_channels = self.channels.len();
        self.source_frames.resize(frames * num_channels, 0);
        let pulled = source.pull(&mut self.source_frames);
        let pulled_samples = &self.source_frames[..pulled * num_channels];
        for (index, channel) in self.channels.iter_mut().enumerate() {
            channel.input.clear();
            channel.input.extend(pulled_samples.iter().skip(index).step_by(num_channels));
            channel.resampler.process_into(&channel.input, &mut channel.ready);
        }
        self.primed |= pulled > 0;
    }

    fn ready_frames(&self) -> usize {
        self.channels[0].ready.len()
    }

    fn holds_tail(&self, source: &Source) -> bool {
        source.is_finished() && (self.primed || self.ready_frames() > 0)
    }

    fn flush(&mut self) {
        if std::mem::take(&mut self.primed) {
            self.channels.iter_mut().for_each(|channel| channel.resampler.flush_into(&mut channel.ready));
        }
    }

    fn reset(&mut self) {
        self.primed = false;
        for channel in &mut self.channels {
            channel.resampler.reset();
            channel.ready.clear();
        }
    }
}
