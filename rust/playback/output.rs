//! From the written rate and channels to those of the listener.

use super::buffer::PlaybackConfig;
use super::reader::Source;
use super::unheard::Fate;
use crate::Result;
use crate::audio::pcm;
use crate::audio::resample::{MonoResampler, Quality};

/// Output frames that are made at a time, so that the room for them is fixed.
const BLOCK_FRAMES: usize = 256;

/// The output stage of a buffer.
#[derive(Debug)]
pub struct Output {
    num_channels: usize,
    source_channels: usize,
    converter: Option<RateConverter>,
    /// Where several channels become one: a block of them.
    to_mix: Box<[i16]>,
}

impl Output {
    /// The stage between what is written and what is read.
    pub fn new(config: &PlaybackConfig) -> Result<Self> {
        let converter = match config.sample_rate_hz == config.output_rate_hz {
            true => None,
            false => Some(RateConverter::new(config)?),
        };
        let (num_channels, source_channels) = (config.output_channels, config.num_channels);
        let to_mix = if source_channels > num_channels { BLOCK_FRAMES * source_channels } else { 0 };
        Ok(Self { num_channels, source_channels, converter, to_mix: vec![0; to_mix].into() })
    }

    /// Channels of a frame handed out.
    pub fn num_channels(&self) -> usize {
        self.num_channels
    }

    /// Whether there is a filter, with its delay.
    pub fn is_filtered(&self) -> bool {
        self.converter.is_some()
    }

    /// Fills `samples` from the source and returns the real frames.
    pub fn read(&mut self, source: &mut Source, samples: &mut [i16]) -> usize {
        let mut done = 0;
        for block in samples.chunks_mut(BLOCK_FRAMES * self.num_channels) {
            let real = self.read_block(source, block);
            done += real;
            if real * self.num_channels < block.len() {
                break;
            }
        }
        done
    }

    fn read_block(&mut self, source: &mut Source, block: &mut [i16]) -> usize {
        let frames = block.len() / self.num_channels;
        if self.source_channels > self.num_channels {
            let frames = &mut self.to_mix[..frames * self.source_channels];
            let real = convert(&mut self.converter, source, frames);
            let mixed = frames.chunks_exact(self.source_channels).map(pcm::mean);
            block.iter_mut().zip(mixed).take(real).for_each(|(out, mean)| *out = mean);
            return real;
        }
        let real = convert(&mut self.converter, source, &mut block[..frames * self.source_channels]);
        if self.source_channels < self.num_channels {
            // One channel was written: it spreads from the last frame on, so that it stays in place.
            for frame in (0..real).rev() {
                let sample = block[frame];
                block[frame * self.num_channels..][..self.num_channels].fill(sample);
            }
        }
        real
    }

    /// Whether everything that was pulled has been handed out.
    pub fn is_empty(&self) -> bool {
        self.converter.as_ref().is_none_or(RateConverter::is_empty)
    }

    /// Forgets what the filter holds: it was interrupted.
    pub fn reset(&mut self) {
        if let Some(converter) = &mut self.converter {
            converter.reset();
        }
    }
}

fn convert(converter: &mut Option<RateConverter>, source: &mut Source, samples: &mut [i16]) -> usize {
    match converter {
        Some(converter) => converter.read(source, samples),
        None => source.pull(samples),
    }
}

/// One filter per channel, and the few frames that it gave beyond the last request.
#[derive(Debug)]
struct RateConverter {
    source_rate_hz: u64,
    output_rate_hz: u64,
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
        let (source_rate_hz, output_rate_hz) = (config.sample_rate_hz, config.output_rate_hz);
        let channel = || {
            let resampler = MonoResampler::new(source_rate_hz, output_rate_hz, Quality::LowDelay)?;
            let block_input_frames = BLOCK_FRAMES * source_rate_hz as usize / output_rate_hz as usize + 1;
            // One input frame may make several frames due; a tail is as long as the delay.
            let surplus = resampler.output_frames_for(1) + resampler.delay_frames() + 1;
            let ready = Vec::with_capacity(BLOCK_FRAMES + 2 * surplus);
            Ok(Channel { resampler, input: Vec::with_capacity(block_input_frames), ready })
        };
        let channels = (0..config.num_channels).map(|_| channel()).collect::<Result<Vec<_>>>()?;
        let source_frames = Vec::with_capacity(channels[0].input.capacity() * config.num_channels);
        let (source_rate_hz, output_rate_hz) = (source_rate_hz.into(), output_rate_hz.into());
        Ok(Self { source_rate_hz, output_rate_hz, channels, source_frames, primed: false })
    }

    /// At most `BLOCK_FRAMES` frames.
    fn read(&mut self, source: &mut Source, samples: &mut [i16]) -> usize {
        let num_channels = self.channels.len();
        let wanted = samples.len() / num_channels;
        let missing = wanted.saturating_sub(self.ready_frames());
        if missing > 0 {
            self.pull(source, self.channels[0].resampler.input_frames_for(missing));
            if self.ready_frames() < wanted && source.is_finished() {
                self.flush();
            }
        }
        let frames = wanted.min(self.ready_frames());
        for (index, channel) in self.channels.iter_mut().enumerate() {
            let out = samples.iter_mut().skip(index).step_by(num_channels);
            out.zip(channel.ready.drain(..frames)).for_each(|(out, sample)| *out = sample);
        }
        source.settle(self.kept_frames(), Fate::Heard);
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

    /// Source frames that went in and have not come out: what is ready, and the filter's delay. Rounded up,
    /// so that nothing counts as heard before its last output frame was handed out.
    fn kept_frames(&self) -> u64 {
        let in_filter = if self.primed { self.channels[0].resampler.delay_frames() } else { 0 };
        ((self.ready_frames() + in_filter) as u64 * self.source_rate_hz).div_ceil(self.output_rate_hz)
    }

    fn is_empty(&self) -> bool {
        !self.primed && self.ready_frames() == 0
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
