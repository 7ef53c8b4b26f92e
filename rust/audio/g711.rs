//! G.711 companding at 8 bits per sample, bit-exact to the ITU-T G.191 reference.
//!
//! Encoding treats negative samples by their ones' complement (-1 as 0), as the reference does; codecs that
//! negate instead differ at the segment edges of negative samples. Decoded samples fill the 16-bit scale.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// One of the two laws of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// North America and Japan.
    Ulaw,
    /// The rest of the world.
    Alaw,
}

impl Law {
    /// Appends one code word per sample.
    pub fn encode_into(self, pcm: &[i16], codes: &mut Vec<u8>) {
        match self {
            Self::Ulaw => codes.extend(pcm.iter().map(|&sample| encode_ulaw(sample))),
            Self::Alaw => codes.extend(pcm.iter().map(|&sample| encode_alaw(sample))),
        }
    }

    /// Fills `pcm` with the samples of as many code words.
    pub fn decode_into(self, codes: &[u8], pcm: &mut [i16]) {
        let decode = match self {
            Self::Ulaw => decode_ulaw,
            Self::Alaw => decode_alaw,
        };
        pcm.iter_mut().zip(codes).for_each(|(sample, &code)| *sample = decode(code));
    }
}
