//! Loops compiled to vector instructions, selected at run time.
//!
//! A build for any x86-64 processor may only assume SSE2. A function inside [`vectorised!`] is compiled
//! twice, once for AVX2 with FMA and once for the build's own target, and each call uses the first if the
//! processor supports it. Every function called inside is `#[inline(always)]`, so that it is compiled with
//! the caller's instructions.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehdup_ps, _mm_movehl_ps, _mm256_add_ps,
    _mm256_castps256_ps128, _mm256_extractf128_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_storeu_ps,
};

/// The computation of `a * b + c`, which differs between the two compilations.
pub trait Arithmetic {
    fn mul_add(a: f32, b: f32, c: f32) -> f32;

    /// Adds `a[lane] * b[lane]` to each lane.
    #[inline(always)]
    fn add_products(lanes: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
        for lane in 0..LANES {
            lanes[lane] = Self::mul_add(a[lane], b[lane], lanes[lane]);
        }
    }

    /// The sum of the lanes, added by halves.
    #[inline(always)]
    fn sum_lanes(mut lanes: [f32; LANES]) -> f32 {
        for half in [8, 4, 2, 1] {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
        }
        lanes[0]
    }
}

/// One instruction. Only for functions compiled with FMA: elsewhere it is a slow library call.
pub struct Fused;

/// A product and a sum, each rounded.
pub struct Portable;

impl Arithmetic for Fused {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    // Written in instructions, because the compiler leaves these loops scalar when nothing but their sum is used.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn add_products(lanes: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
        for first in [0, LANES / 2] {
            // SAFETY: each half of an array is eight values, and `Fused` is only used where there is FMA.
            unsafe {
                let sums = lanes.as_mut_ptr().add(first);
                let a = _mm256_loadu_ps(a.as_ptr().add(first));
                let b = _mm256_loadu_ps(b.as_ptr().add(first));
                _mm256_storeu_ps(sums, _mm256_fmadd_ps(a, b, _mm256_loadu_ps(sums)));
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn sum_lanes(lanes: [f32; LANES]) -> f32 {
        // SAFETY: as above.
        unsafe {
            let low = _mm256_loadu_ps(lanes.as_ptr());
            let high = _mm256_loadu_ps(lanes.as_ptr().add(LANES / 2));
            let eight = _mm256_add_ps(low, high);
            let four = _mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}

impl Arithmetic for Portable {
    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Whether the processor runs functions compiled for AVX2 and FMA. The answer is cached.
#[cfg(target_arch = "x86_64")]
pub fn has_avx2_and_fma() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Compiles `fn name<A>(..)`, where `A` is an [`Arithmetic`], for AVX2 with FMA and for the build's own
/// target, and a function `name(..)` that selects between them.
macro_rules! vectorised {
    ($($(#[$attribute:meta])* $visible:vis fn $name:ident<$arithmetic:ident>(
        $($argument:ident: $type:ty),* $(,)?
    ) $(-> $result:ty)? $body:block)*) => {$(
        $(#[$attribute])*
        $visible fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body<$arithmetic: $crate::vector::Arithmetic>(
                $($argument: $type),*
            ) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            if $crate::vector::has_avx2_and_fma() {
                #[target_feature(enable = "avx2,fma")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    body::<$crate::vector::Fused>($($argument),*)
                }
                // SAFETY: the processor has both features, as just checked.
                return unsafe { wide($($argument),*) };
            }
            body::<$crate::vector::Portable>($($argument),*)
        }
    )*};
}
pub(crate) use vectorised;

/// Below this, [`exp`] returns 0: the result would be smaller than the smallest normal f32.
const SMALLEST_EXPONENT: f32 = -87.3;
/// Above this, [`exp`] returns its value at this point.
const LARGEST_EXPONENT: f32 = 88.0;

/// `e^x`, within a relative error of 2e-7 for x in [-87.3, 88]; below that 0, above that `e^88`. NaN remains
/// NaN.
#[inline(always)]
pub fn exp<A: Arithmetic>(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to an integer and leaves that integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few bits, so that the remainder is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;

    let bounded = if x > LARGEST_EXPONENT {
        LARGEST_EXPONENT
    } else {
        x
    };
    let bounded = if bounded < SMALLEST_EXPONENT {
        SMALLEST_EXPONENT
    } else {
        bounded
    };
    let shifted = A::mul_add(bounded, std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let rest = A::mul_add(whole, -LN_2_LOW, A::mul_add(whole, -LN_2_HIGH, bounded));

    // Cephes' polynomial for e^rest on [-ln 2 / 2, ln 2 / 2].
    let mut series = 1.987_569_1e-4;
    for coefficient in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        series = A::mul_add(series, rest, coefficient);
    }
    let fraction = A::mul_add(series, rest * rest, rest) + 1.0;

    // 2^whole: the integer moved into the exponent bits, on top of the exponent of 1.
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    if x < SMALLEST_EXPONENT {
        0.0
    } else {
        fraction * power
    }
}

/// `tanh x`, within an absolute error of 4e-7.
#[inline(always)]
pub fn tanh<A: Arithmetic>(x: f32) -> f32 {
    1.0 - 2.0 / (exp::<A>(2.0 * x) + 1.0)
}

/// The number of independent partial sums: two AVX2 registers, or four of SSE2.
pub const LANES: usize = 16;

/// The sum of `a[i] * b[i]`.
#[inline(always)]
pub fn dot<A: Arithmetic>(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        A::add_products(&mut lanes, a, b);
    }
    for (lane, (&a, &b)) in a_rest.iter().zip(b_rest).enumerate() {
        lanes[lane] = A::mul_add(a, b, lanes[lane]);
    }
    A::sum_lanes(lanes)
}

vectorised! {
    /// Multiplies each value by its factor.
    pub fn multiply_by<A>(values: &mut [f32], factors: &[f32]) {
        for (value, factor) in values.iter_mut().zip(factors) {
            *value *= factor;
        }
    }
}

/// The largest value, or negative infinity if there is none. Ignores NaN.
#[inline(always)]
pub fn largest(values: &[f32]) -> f32 {
    // Not `f32::max`: its NaN handling costs two more instructions.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], chunk[lane]);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, value);
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] = larger(lanes[lane], lanes[lane + half]);
        }
    }
    lanes[0]
}

/// Replaces every value by `e^(value - shift)`. Returns their sum.
#[inline(always)]
pub fn exp_shifted<A: Arithmetic>(values: &mut [f32], shift: f32) -> f32 {
    let (chunks, rest) = values.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        exp_chunk::<A>(chunk, shift, &mut lanes);
    }
    if !rest.is_empty() {
        // The remainder is padded to a full chunk: one by one, its values would cost as much as all chunks of
        // a short row. The padding's exponential is 0.
        let mut padded = [f32::NEG_INFINITY; LANES];
        padded[..rest.len()].copy_from_slice(rest);
        exp_chunk::<A>(&mut padded, shift, &mut lanes);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
    A::sum_lanes(lanes)
}

#[inline(always)]
fn exp_chunk<A: Arithmetic>(chunk: &mut [f32; LANES], shift: f32, sums: &mut [f32; LANES]) {
    for lane in 0..LANES {
        chunk[lane] = exp::<A>(chunk[lane] - shift);
        sums[lane] += chunk[lane];
    }
}

/// The sum of `e^(value - shift)`.
#[inline(always)]
pub fn sum_exp<A: Arithmetic>(values: &[f32], shift: f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += exp::<A>(chunk[lane] - shift);
        }
    }
    for (lane, &value) in lanes.iter_mut().zip(rest) {
        *lane += exp::<A>(value - shift);
    }
    A::sum_lanes(lanes)
}

#[cfg(test)]
mod tests {
    use super::{Arithmetic, Fused, Portable, exp, largest, tanh};

    vectorised! {
        fn exp_dispatched<A>(values: &mut [f32]) {
            for value in values {
                *value = exp::<A>(*value);
            }
        }
    }

    fn grid(from: f32, to: f32) -> impl Iterator<Item = f32> {
        (0..=1_000_000).map(move |step| from + (to - from) * (step as f32 / 1e6))
    }

    fn check_exp<A: Arithmetic>() {
        for x in grid(-87.3, 88.0) {
            let wanted = f64::from(x).exp();
            let error = (f64::from(exp::<A>(x)) - wanted).abs() / wanted;
            assert!(error <= 2e-7, "exp({x}) is off by {error:e}");
        }
    }

    fn check_tanh<A: Arithmetic>() {
        for x in grid(-12.0, 12.0).chain([-1e30, -100.0, 100.0, 1e30]) {
            let error = (f64::from(tanh::<A>(x)) - f64::from(x).tanh()).abs();
            assert!(error <= 4e-7, "tanh({x}) is off by {error:e}");
        }
    }

    #[test]
    fn exp_and_tanh_keep_their_bounds_with_either_arithmetic() {
        check_exp::<Portable>();
        check_exp::<Fused>();
        check_tanh::<Portable>();
        check_tanh::<Fused>();
    }

    #[test]
    fn exp_keeps_its_bound_as_dispatched() {
        let inputs: Vec<f32> = grid(-20.0, 20.0).collect();
        let mut values = inputs.clone();
        exp_dispatched(&mut values);
        for (x, value) in inputs.iter().zip(values) {
            let wanted = f64::from(*x).exp();
            assert!(
                (f64::from(value) - wanted).abs() / wanted <= 2e-7,
                "exp({x})"
            );
        }
    }

    #[test]
    fn exp_at_its_ends() {
        assert_eq!(exp::<Portable>(0.0), 1.0);
        assert_eq!(exp::<Portable>(-1e4), 0.0);
        assert_eq!(exp::<Portable>(f32::NEG_INFINITY), 0.0);
        assert!(exp::<Portable>(f32::INFINITY).is_finite());
        assert!(exp::<Portable>(f32::NAN).is_nan());
    }

    #[test]
    fn largest_of_any_length() {
        assert_eq!(largest(&[]), f32::NEG_INFINITY);
        for length in 1..40 {
            let values: Vec<f32> = (0..length)
                .map(|i| -((i - length / 2) as f32).abs())
                .collect();
            assert_eq!(largest(&values), 0.0, "length {length}");
        }
    }
}
