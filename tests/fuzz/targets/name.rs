#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(target) = tacita_sim::fuzzing::target("name") {
        (target.run)(data);
    }
});
