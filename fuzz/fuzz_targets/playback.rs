#![no_main]

#[path = "../audio.rs"]
mod audio;
#[path = "../tried.rs"]
mod tried;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tried::count(data);
    audio::playback(data)
});
