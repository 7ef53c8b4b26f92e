//! G.711 over every sample and every code word, against the text of the Recommendation.

use voicelane::audio::g711::Law;

/// The code words of the whole 16-bit scale, from -32768 up.
fn codes(law: Law) -> Vec<u8> {
    let scale: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    let mut codes = Vec::new();
    law.encode_into(&scale, &mut codes);
    codes
}

/// The samples of the code words 0 to 255.
fn samples(law: Law) -> Vec<i16> {
    let words: Vec<u8> = (0..=u8::MAX).collect();
    let mut samples = vec![0; words.len()];
    law.decode_into(&words, &mut samples);
    samples
}

/// The magnitude of a sample as G.191 takes it: ones' complement for negatives.
fn magnitude(sample: i16) -> i32 {
    i32::from(if sample < 0 { !sample } else { sample })
}

/// Table 2a: 16 steps per chord, 33 added so that chord `c` begins at 32 << c; a 14-bit scale, all bits inverted.
fn ulaw_code(sample: i16) -> u8 {
    let biased = ((magnitude(sample) >> 2) + 33).min(0x1FFF);
    let chord = (0..8).rev().find(|chord| biased >= 32 << chord).expect("33 or more");
    let step = (biased - (32 << chord)) >> (chord + 1);
    let sign = if sample < 0 { 0x80 } else { 0 };
    !((sign | (chord << 4) | step) as u8)
}

/// Table 1a: two chords of the same step, then 16 steps per chord; a 13-bit scale, even bits inverted.
fn alaw_code(sample: i16) -> u8 {
    let level = magnitude(sample) >> 4;
    let chord = (1..8).rev().find(|chord| level >= 8 << chord).unwrap_or(0);
    let step = if chord == 0 { level } else { (level - (8 << chord)) >> (chord - 1) };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | (chord << 4) | step) as u8 ^ 0x55
}

/// The middle of the code word's interval.
fn ulaw_sample(code: u8) -> i16 {
    let word = i32::from(!code);
    let (chord, step) = ((word >> 4) & 7, word & 15);
    let magnitude = 4 * (((2 * step + 33) << chord) - 33);
    (if word & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

fn alaw_sample(code: u8) -> i16 {
    let word = i32::from(code ^ 0x55);
    let (chord, step) = ((word >> 4) & 7, word & 15);
    let magnitude = if chord == 0 { 16 * step + 8 } else { (16 * step + 264) << (chord - 1) };
    (if word & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[test]
fn every_sample_encodes_as_recommended() {
    for (law, code) in [(Law::Ulaw, ulaw_code as fn(i16) -> u8), (Law::Alaw, alaw_code)] {
        let expected: Vec<u8> = (i16::MIN..=i16::MAX).map(code).collect();
        assert!(codes(law) == expected, "{law:?}");
    }
}

#[test]
fn every_code_word_decodes_as_recommended() {
    for (law, sample) in [(Law::Ulaw, ulaw_sample as fn(u8) -> i16), (Law::Alaw, alaw_sample)] {
        let expected: Vec<i16> = (0..=u8::MAX).map(sample).collect();
        assert_eq!(samples(law), expected, "{law:?}");
    }
}

#[test]
fn known_code_words() {
    let code = |law, sample: i16| codes(law)[(i32::from(sample) + 32_768) as usize];
    assert_eq!([0, -1, 32_767, -32_768].map(|sample| code(Law::Ulaw, sample)), [0xFF, 0x7F, 0x80, 0x00]);
    assert_eq!([0, -1, 32_767, -32_768].map(|sample| code(Law::Alaw, sample)), [0xD5, 0x55, 0xAA, 0x2A]);
}

#[test]
fn code_words_survive_decoding_and_encoding() {
    for law in [Law::Ulaw, Law::Alaw] {
        let table = codes(law);
        for (word, sample) in samples(law).into_iter().enumerate() {
            let again = usize::from(table[(i32::from(sample) + 32_768) as usize]);
            // u-law has two zeros; the negative one comes back as the positive one.
            let expected = if (law, word) == (Law::Ulaw, 0x7F) { 0xFF } else { word };
            assert_eq!(again, expected, "{law:?}");
        }
    }
}
