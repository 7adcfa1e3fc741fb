#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    app::fuzzed::configuration(bytes);
    backup::fuzzed::configuration(bytes);
    drill::fuzzed::configuration(bytes);
});
