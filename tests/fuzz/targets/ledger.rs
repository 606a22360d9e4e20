//! Any bytes are a ledger with faults; what it writes is a ledger without, and the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings::ledger::Ledger;

fuzz_target!(|bytes: &[u8]| {
    let (ledger, _) = Ledger::parse(bytes);
    let text = ledger.to_text();
    let (again, faults) = Ledger::parse(text.as_bytes());
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(again.to_text(), text);
    assert_eq!(again.len(), ledger.len());
});
