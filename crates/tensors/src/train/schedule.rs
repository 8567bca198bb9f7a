//! The learning rate's course.

use promptshift_numbers::recipe::Schedule;

/// The share of the full learning rate at `step` (from 0) of `steps`, in [0, 1].
pub fn share(schedule: Schedule, step: usize, steps: usize) -> f64 {
    let rise = |warmup: usize| ((step + 1) as f64 / warmup.max(1) as f64).min(1.0);
    match schedule {
        Schedule::Constant => 1.0,
        Schedule::Warmup { steps } => rise(steps),
        Schedule::WarmupDecay {
            warmup,
            share,
            floor,
        } => {
            let falling = steps as f64 * share;
            let left = steps.saturating_sub(step) as f64;
            let fall = if falling > 0.0 {
                (left / falling).min(1.0)
            } else {
                1.0
            };
            rise(warmup) * fall.max(floor)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_stay_and_fall() {
        assert_eq!(share(Schedule::Constant, 0, 10), 1.0);
        let warmup = Schedule::Warmup { steps: 4 };
        assert_eq!(share(warmup, 0, 10), 0.25);
        assert_eq!(share(warmup, 3, 10), 1.0);
        assert_eq!(share(warmup, 9, 10), 1.0);
        let both = Schedule::WarmupDecay {
            warmup: 2,
            share: 0.5,
            floor: 0.1,
        };
        assert_eq!(share(both, 0, 100), 0.5);
        assert_eq!(share(both, 50, 100), 1.0);
        assert_eq!(share(both, 75, 100), 0.5);
        assert_eq!(share(both, 99, 100), 0.1);
    }
}
