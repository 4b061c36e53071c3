//! Medians and percentiles.

use std::time::Duration;

/// The value below which `share` of all lie; 0 of none.
pub(crate) fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = u32::try_from(sorted.len().saturating_sub(1)).unwrap_or(u32::MAX);
    let rank = (f64::from(last) * share).round();
    // A rank lies between 0 and the last index.
    let at =
        (0..sorted.len()).find(|&index| u32::try_from(index).is_ok_and(|index| f64::from(index) >= rank));
    at.and_then(|at| sorted.get(at)).copied().unwrap_or_default()
}

/// The middle value; the lower of two; `None` of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};
    use std::time::Duration;

    #[test]
    fn the_middle_and_the_tail() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
        let hundred: Vec<Duration> = (1..=101).map(Duration::from_millis).collect();
        assert_eq!(percentile(&hundred, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&hundred, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.5), Duration::ZERO);
    }
}
