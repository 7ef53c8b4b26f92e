//! Playback buffers for the tests, and what is read from them.
#![allow(dead_code, reason = "each test file uses some of it")]

use voicelane::playback::{PlaybackBuffer, PlaybackConfig, PlaybackControl, PlaybackReader, PlaybackWriter};

pub type Ends = (PlaybackWriter, PlaybackReader, PlaybackControl);

pub fn buffer(config: PlaybackConfig) -> Ends {
    PlaybackBuffer::with_config(config).expect("a valid configuration")
}

pub fn mono() -> Ends {
    buffer(PlaybackConfig::default())
}

/// How many of the frames are real, and all of them.
pub fn read(reader: &mut PlaybackReader, frames: usize) -> (usize, Vec<i16>) {
    let mut samples = vec![i16::MAX; frames * reader.output_channels()];
    let real = reader.read_into(&mut samples);
    (real, samples)
}
