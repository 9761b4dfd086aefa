//! Parsing and admission, fed with whatever the fuzzer thinks of.
#![no_main]

#[path = "../../tests/admission/oracle.rs"]
#[allow(dead_code)]
mod oracle;

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    oracle::check(body);
});
