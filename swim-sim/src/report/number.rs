//! Numbers as people read them: thousands apart, as many decimals as asked for, and never a 0 that
//! is none.

/// Stands for what was not measured.
pub(super) const MISSING: &str = "–";

/// `value` rounded to `decimals`, its thousands apart: 12,345 or 0.02.
///
/// What would round to 0 though it is not shows its first digit instead: 0.0004, or 3e-9. NaN is
/// [`MISSING`].
pub(super) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return MISSING.to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let magnitude = value.abs();
    if magnitude.is_infinite() {
        return format!("{sign}∞");
    }
    let digits = format!("{magnitude:.decimals$}");
    let vanished = magnitude > 0.0 && digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if !vanished {
        format!("{sign}{}", grouped(&digits))
    } else if magnitude < 1e-6 {
        format!("{sign}{magnitude:.0e}")
    } else {
        format!("{sign}{magnitude:.*}", decimals_of(magnitude, 1))
    }
}

/// The decimals that show `digits` significant digits of `value`; 0 of large values, of 0 and of
/// what is not finite.
pub(super) fn decimals_of(value: f64, digits: usize) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    // The exponent after rounding to these digits: 0.0996 to two of them is 0.10, not 0.100.
    let rounded = format!("{:.*e}", digits.saturating_sub(1), value.abs());
    let exponent = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse::<i64>().ok());
    let decimals = digits as i64 - 1 - exponent.unwrap_or(0);
    usize::try_from(decimals).unwrap_or(0)
}

/// Digits with a comma before each three of the integer part.
fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::with_capacity(digits.len() + whole.len() / 3);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(fixed(12_345.0, 0), "12,345");
        assert_eq!(fixed(123.0, 0), "123");
        assert_eq!(fixed(-1_234_567.891, 2), "-1,234,567.89");
        assert_eq!(fixed(999.96, 1), "1,000.0");
    }

    #[test]
    fn decimals_are_as_asked_for() {
        assert_eq!(fixed(0.02, 2), "0.02");
        assert_eq!(fixed(0.0, 2), "0.00");
        assert_eq!(fixed(-0.0, 1), "0.0");
        assert_eq!(fixed(2.5, 3), "2.500");
    }

    #[test]
    fn what_is_not_zero_does_not_look_like_it() {
        assert_eq!(fixed(0.000_42, 2), "0.0004");
        assert_eq!(fixed(-0.3, 0), "-0.3");
        assert_eq!(fixed(3.2e-9, 2), "3e-9");
        assert_eq!(fixed(0.6, 0), "1");
        assert_eq!(fixed(0.0098, 1), "0.01");
    }

    #[test]
    fn what_is_no_number_is_missing() {
        assert_eq!(fixed(f64::NAN, 2), MISSING);
        assert_eq!(fixed(f64::NEG_INFINITY, 2), "-∞");
    }

    #[test]
    fn significant_digits_decide_the_decimals() {
        let decimals = [12_345.0, 123.0, 12.34, 1.0, 0.999_9, 0.012_34, 0.0, f64::INFINITY];
        assert_eq!(decimals.map(|value| decimals_of(value, 3)), [0, 0, 1, 2, 2, 4, 0, 0]);
    }
}
