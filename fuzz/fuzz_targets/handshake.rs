#![no_main]

#[path = "../tried.rs"]
mod tried;
#[path = "../websocket.rs"]
mod websocket;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tried::count(data);
    websocket::handshake(data)
});
