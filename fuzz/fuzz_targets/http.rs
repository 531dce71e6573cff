#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| bettong_exporter::fuzzing::http(input));
