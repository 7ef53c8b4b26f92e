//! Tables of filter coefficients.

use std::sync::Arc;

use voicelane::audio::filter::{PolyphaseFilter, Ratio};
use voicelane::audio::resample::Quality;

#[test]
fn tables_are_shared_while_in_use() {
    let ratio = Ratio::of_rates(31_000, 17_000);
    let first = PolyphaseFilter::shared(ratio, Quality::LowDelay);
    assert!(Arc::ptr_eq(&first, &PolyphaseFilter::shared(ratio, Quality::LowDelay)));
    assert!(!Arc::ptr_eq(&first, &PolyphaseFilter::shared(ratio, Quality::High)));
    let last = Arc::downgrade(&first);
    drop(first);
    assert!(last.upgrade().is_none());
}
