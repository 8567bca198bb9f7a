//! A horizontal axis of amounts: from zero, or in powers of ten where they differ too much for that.

/// Amounts further apart than this stand on a logarithmic axis.
const FAR_APART: f64 = 30.0;

/// From an amount to a share of the axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// From zero to this.
    Linear(f64),
    /// From ten to the first power to ten to the second.
    Powers(i32, i32),
    /// The same, with zero where the next lower power would be.
    ZeroAndPowers(i32, i32),
}

impl Scale {
    /// An axis that holds amounts, none below zero.
    pub(super) fn of(amounts: impl IntoIterator<Item = f64>) -> Scale {
        let amounts: Vec<f64> = amounts.into_iter().collect();
        let positive = amounts.iter().copied().filter(|amount| *amount > 0.0);
        let (least, most) = positive.fold((f64::INFINITY, 0.0_f64), |(least, most), amount| {
            (least.min(amount), most.max(amount))
        });
        if most > FAR_APART * least {
            let (low, high) = (least.log10().floor() as i32, most.log10().ceil() as i32);
            match amounts.contains(&0.0) {
                true => Scale::ZeroAndPowers(low, high.max(low + 1)),
                false => Scale::Powers(low, high.max(low + 1)),
            }
        } else if most > 0.0 {
            let step = step(1.12 * most);
            Scale::Linear((1.12 * most / step).ceil() * step)
        } else {
            Scale::Linear(1.0)
        }
    }

    /// Where an amount lies, as a share of the axis.
    pub(super) fn share(self, amount: f64) -> f64 {
        match self {
            Scale::Linear(high) => amount / high,
            Scale::Powers(low, high) => (amount.log10() - f64::from(low)) / f64::from(high - low),
            Scale::ZeroAndPowers(..) if amount == 0.0 => 0.0,
            Scale::ZeroAndPowers(low, high) => Scale::Powers(low - 1, high).share(amount),
        }
    }

    /// The amounts that the axis names.
    pub(super) fn ticks(self) -> Vec<f64> {
        match self {
            Scale::Linear(high) => {
                let step = step(high);
                (0..=(high / step).round() as i32)
                    .map(|tick| f64::from(tick) * step)
                    .collect()
            }
            Scale::Powers(low, high) => {
                let every = ((high - low) / 5 + 1) as usize;
                (low..=high)
                    .step_by(every)
                    .map(|power| 10_f64.powi(power))
                    .collect()
            }
            Scale::ZeroAndPowers(low, high) => {
                let powers = Scale::Powers(low, high).ticks();
                [0.0].into_iter().chain(powers).collect()
            }
        }
    }
}

/// A round step that divides an axis into two to five parts.
fn step(high: f64) -> f64 {
    let power = 10_f64.powf(high.log10().floor());
    [0.2, 0.5, 1.0, 2.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| high / step <= 5.0)
        .unwrap_or(2.0 * power)
}

/// A round amount in few letters: `20`, `0.5`, `10 k`, `1 M`.
pub(super) fn short(amount: f64) -> String {
    let (value, unit) = match amount {
        _ if amount >= 1e9 => (amount / 1e9, " G"),
        _ if amount >= 1e6 => (amount / 1e6, " M"),
        _ if amount >= 1e3 => (amount / 1e3, " k"),
        _ => (amount, ""),
    };
    // Two digits behind the point at most, and none that say nothing.
    let digits = format!("{value:.2}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_amounts_start_at_zero_and_far_ones_are_powers() {
        let near = Scale::of([40.0, 55.0]);
        assert_eq!(near, Scale::Linear(80.0));
        assert_eq!(near.ticks(), [0.0, 20.0, 40.0, 60.0, 80.0]);
        assert_eq!(near.share(40.0), 0.5);
        let far = Scale::of([2_560.0, 1_542_144.0]);
        assert_eq!(far, Scale::Powers(3, 7));
        assert!((far.share(1e5) - 0.5).abs() < 1e-12);
        let with_zero = Scale::of([2_560.0, 0.0, 1_542_144.0]);
        assert_eq!(with_zero, Scale::ZeroAndPowers(3, 7));
        assert_eq!(with_zero.ticks(), [0.0, 1e3, 1e4, 1e5, 1e6, 1e7]);
        assert_eq!([0.0, 1e3, 1e7].map(|a| with_zero.share(a)), [0.0, 0.2, 1.0]);
        assert_eq!(Scale::of([]), Scale::Linear(1.0));
        assert_eq!(Scale::of([0.0, 5.0]).share(0.0), 0.0);
    }

    #[test]
    fn round_amounts_are_short() {
        let shown = [0.0, 0.25, 20.0, 1_000.0, 10_000.0, 1e6, 2.5e9].map(short);
        assert_eq!(shown, ["0", "0.25", "20", "1 k", "10 k", "1 M", "2.5 G"]);
    }
}
