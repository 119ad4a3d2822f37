//! What an hour of an instance costs, where that is known: an estimate, never a bill.
//!
//! A small table of public prices with its date, for the types that are taken by default. What is not in it has no price:
//! none is made up.

/// When these prices were published.
pub(crate) const AS_OF: &str = "2026-07-20";

/// Linux, on-demand, in US dollars an hour, in us-east-1.
const US_EAST_1: [(&str, f64); 8] = [
    ("m5.2xlarge", 0.384),
    ("m6a.2xlarge", 0.3456),
    ("m6g.2xlarge", 0.308),
    ("m6i.2xlarge", 0.384),
    ("m7a.2xlarge", 0.46368),
    ("m7g.2xlarge", 0.3264),
    ("m7i.2xlarge", 0.4032),
    ("m8g.2xlarge", 0.35904),
];

/// The on-demand price of an hour in US dollars; spot costs less. `None` where it is not known.
pub(crate) fn hourly(region: &str, instance_type: &str) -> Option<f64> {
    if region != "us-east-1" {
        return None;
    }
    US_EAST_1
        .iter()
        .find(|(known, _)| *known == instance_type)
        .map(|(_, price)| *price)
}

/// An amount in words: cents, and at least one.
pub(crate) fn dollars(amount: f64) -> String {
    format!("${:.2}", amount.max(0.01))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_has_no_price() {
        assert_eq!(hourly("us-east-1", "m7i.2xlarge"), Some(0.4032));
        assert_eq!(hourly("us-east-1", "m7i.large"), None);
        assert_eq!(hourly("eu-west-1", "m7i.2xlarge"), None);
        assert_eq!(dollars(0.001), "$0.01");
        assert_eq!(dollars(1.2096), "$1.21");
    }
}
