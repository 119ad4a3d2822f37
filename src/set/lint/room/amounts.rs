//! Quantities of Kubernetes (`500m`, `1.5Gi`, `1e3`), and sums of them by resource.

use std::collections::BTreeMap;

use serde_json::Value;

/// Thousandths of a unit of each resource, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(pub BTreeMap<String, i128>);

impl Amounts {
    /// Reads a mapping of quantities; what is none is left out, since the server refuses it.
    pub fn of(value: &Value) -> Self {
        let pairs = value.as_object().into_iter().flatten();
        let read = |(name, value): (&String, &Value)| {
            let amount = match value {
                Value::String(text) => quantity(text)?,
                Value::Number(number) => quantity(&number.to_string())?,
                _ => return None,
            };
            Some((name.clone(), amount))
        };
        Self(pairs.filter_map(read).collect())
    }

    /// How much of one resource.
    pub fn get(&self, resource: &str) -> i128 {
        self.0.get(resource).copied().unwrap_or_default()
    }

    /// Adds so many times another.
    pub fn add(&mut self, other: &Self, times: i128) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_default() += amount * times;
        }
    }

    /// At least as much of each as another.
    pub fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let own = self.0.entry(name.clone()).or_default();
            *own = (*own).max(*amount);
        }
    }
}

/// The thousandths of a quantity, rounded up.
pub fn quantity(text: &str) -> Option<i128> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (above, below): (i128, i128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{part}").parse().ok()?;
    let scale = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    let (above, below) = (
        digits.checked_mul(above)?.checked_mul(1000)?,
        below.checked_mul(scale)?,
    );
    let amount = above.div_euclid(below) + i128::from(above.rem_euclid(below) > 0);
    // Kubernetes holds no more either.
    Some(amount.clamp(0, i128::from(i64::MAX) * 1000))
}

/// An amount as people write it: `2.4 CPU`, `6.5 GiB of memory`, `110 pods`.
pub fn shown(resource: &str, amount: i128) -> String {
    let bytes = |of: &str| {
        let tenths = |unit: i128| (amount * 10 + unit * 500) / (unit * 1000);
        let (unit, name) = if amount >= 1000 << 30 {
            (1 << 30, "GiB")
        } else {
            (1 << 20, "MiB")
        };
        format!("{} {name} of {of}", decimal(tenths(unit), 1))
    };
    match resource {
        "cpu" => format!("{} CPU", decimal(amount, 3)),
        "memory" => bytes("memory"),
        "ephemeral-storage" => bytes("disk"),
        _ => format!("{} {resource}", decimal(amount, 3)),
    }
}

/// A number of so many decimal places, without zeros at its end.
fn decimal(value: i128, places: u32) -> String {
    let unit = 10_i128.pow(places);
    let text = format!(
        "{}.{:0width$}",
        value / unit,
        value % unit,
        width = places as usize
    );
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quantity_is_what_kubernetes_takes_it_for() {
        for (text, thousandths) in [
            ("1", Some(1000)),
            ("500m", Some(500)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("1.5Gi", Some(3000 << 29)),
            ("1e3", Some(1_000_000)),
            ("12E2", Some(1_200_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("9e30", Some(i128::from(i64::MAX) * 1000)),
            ("-1", Some(0)),
            ("100e-3", Some(100)),
            ("1n", Some(1)),
            ("128974848", Some(128_974_848_000)),
            ("129M", Some(129_000_000_000)),
            ("", None),
            ("a", None),
            ("1.5.5", None),
            ("1Zi", None),
        ] {
            assert_eq!(quantity(text), thousandths, "{text}");
        }
    }

    #[test]
    fn amounts_are_told_in_units_that_people_use() {
        for (resource, text, said) in [
            ("cpu", "2410m", "2.41 CPU"),
            ("cpu", "8", "8 CPU"),
            ("memory", "6.55Gi", "6.6 GiB of memory"),
            ("memory", "256Mi", "256 MiB of memory"),
            ("pods", "110", "110 pods"),
            ("nvidia.com/gpu", "2", "2 nvidia.com/gpu"),
        ] {
            assert_eq!(shown(resource, quantity(text).unwrap()), said);
        }
        let numbers = Amounts::of(&json!({"cpu": 2, "memory": "1Gi", "x": null}));
        assert_eq!((numbers.get("cpu"), numbers.0.len()), (2000, 2));
    }

    proptest! {
        #[test]
        fn any_text_is_a_quantity_or_none(text in "[-+]?[0-9.]{0,40}[a-zA-Z]{0,3}[-+]?[0-9]{0,12}") {
            prop_assert!(quantity(&text).is_none_or(|amount| amount >= 0));
        }

        #[test]
        fn a_suffix_multiplies(number in 0_i128..1_000_000) {
            prop_assert_eq!(quantity(&format!("{number}Ki")), quantity(&(number * 1024).to_string()));
            prop_assert_eq!(quantity(&format!("{number}m")), Some(number));
        }
    }
}
