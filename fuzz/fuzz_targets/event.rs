#![no_main]

#[path = "../checks.rs"]
mod checks;
#[path = "../tried.rs"]
mod tried;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tried::count(data);
    checks::event(data)
});
