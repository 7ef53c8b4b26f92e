#![no_main]

#[path = "../websocket.rs"]
mod websocket;
#[path = "../tried.rs"]
mod tried;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    tried::count(data);
    websocket::handshake(data)
});
