//! VeRA's random projections, drawn from a key as PEFT draws them.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::checkpoint::transposed;
use crate::layers::Vera;

/// Two frozen projections, wide enough for the widest of the linear layers that share them: each reads the first rows
/// of both, as many as it has inputs and outputs.
#[derive(Module, Debug)]
pub struct Projections {
    /// `A` `[in, r]`.
    a: Param<Tensor<2>>,
    /// `Bᵀ` `[out, r]`.
    b: Param<Tensor<2>>,
}

impl Projections {
    /// PEFT's projections for a key (`VeraModel._init_vera_A_vera_B`, peft/tuners/vera/model.py): `A` is drawn first,
    /// row by row of `[r, in]`, then `B` of `[out, r]`, both Kaiming uniform, from PyTorch's generator of the CPU.
    pub(super) fn drawn(
        key: u64,
        rank: usize,
        [input, output]: [usize; 2],
        device: &Device,
    ) -> Self {
        let mut generator = MersenneTwister::new(key);
        let a = generator.kaiming_uniform([rank, input]);
        let b = generator.kaiming_uniform([output, rank]);
        Projections::new(transposed(&a, [rank, input]), b, rank, device)
    }

    /// Projections of these values, `A` `[in, r]` and `Bᵀ` `[out, r]`, row by row.
    fn new(a: Vec<f32>, b: Vec<f32>, rank: usize, device: &Device) -> Self {
        let [a, b] = [a, b].map(|values| {
            let shape = [values.len() / rank, rank];
            Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
        });
        Projections { a, b }
    }

    /// The update of a linear layer `[in, out]`, with these scales: `λ_d` `[r]` and `λ_b` `[out]`.
    pub(super) fn update(
        &self,
        [input, output]: [usize; 2],
        [lambda_d, lambda_b]: [Param<Tensor<1>>; 2],
    ) -> Vera {
        // Rows are sliced without a copy.
        let first = |of: &Param<Tensor<2>>, rows: usize| of.val().narrow(0, 0, rows);
        Vera {
            lambda_d,
            lambda_b,
            a: first(&self.a, input),
            b: first(&self.b, output).transpose(),
        }
    }

    /// `A` `[in, r]` and `Bᵀ` `[out, r]`, row by row.
    pub(super) fn values(&self) -> [Vec<f32>; 2] {
        let values = |of: &Param<Tensor<2>>| of.val().into_data().try_to_vec().expect("f32");
        [values(&self.a), values(&self.b)]
    }
}

/// MT19937 (Matsumoto & Nishimura 1998), PyTorch's generator on the CPU.
struct MersenneTwister {
    state: [u32; MersenneTwister::SIZE],
    next: usize,
}

impl MersenneTwister {
    const SIZE: usize = 624;

    /// Seeded as `torch.Generator.manual_seed` does: by the key's lower 32 bits.
    fn new(key: u64) -> Self {
        let mut state = [key as u32; MersenneTwister::SIZE];
        for at in 1..MersenneTwister::SIZE {
            let last = state[at - 1];
            state[at] =
                (1_812_433_253_u32.wrapping_mul(last ^ (last >> 30))).wrapping_add(at as u32);
        }
        MersenneTwister {
            state,
            next: MersenneTwister::SIZE,
        }
    }

    fn next(&mut self) -> u32 {
        const SIZE: usize = MersenneTwister::SIZE;
        if self.next == SIZE {
            for at in 0..SIZE {
                let both =
                    (self.state[at] & 0x8000_0000) | (self.state[(at + 1) % SIZE] & 0x7fff_ffff);
                let odd = if both & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[at] = self.state[(at + 397) % SIZE] ^ (both >> 1) ^ odd;
            }
            self.next = 0;
        }
        let mut value = self.state[self.next];
        self.next += 1;
        value ^= value >> 11;
        value ^= (value << 7) & 0x9d2c_5680;
        value ^= (value << 15) & 0xefc6_0000;
        value ^ (value >> 18)
    }

    /// U[-√(6/n), √(6/n)) of this shape `[_, n]`, row by row, from 24 random bits each, as
    /// `torch.Tensor.uniform_` computes them with fused multiply-add.
    fn kaiming_uniform(&mut self, [rows, fan_in]: [usize; 2]) -> Vec<f32> {
        let bound = 3_f64.sqrt() * (2_f64.sqrt() / (fan_in as f64).sqrt());
        let (low, high) = (-bound as f32, bound as f32);
        let value = |bits: u32| {
            let unit = (bits & 0x00ff_ffff) as f32 * (1.0 / (1 << 24) as f32);
            unit.mul_add(high - low, low)
        };
        (0..rows * fan_in).map(|_| value(self.next())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `_kaiming_init` of PEFT 0.21.2 with PyTorch 2.15.0.
    #[test]
    fn a_key_draws_the_projections_that_peft_draws() {
        let drawn = Projections::drawn(5, 2, [3, 4], &Device::flex());
        let [a, b] = drawn.values();
        #[rustfmt::skip]
        assert_eq!(a, [
            0.934_093_36, 0.904_890_3, -1.057_518, 1.188_232, 1.152_498_2, -1.084_291_1,
        ]);
        #[rustfmt::skip]
        assert_eq!(b, [
            -1.162_581_9, 0.824_176_9, -1.616_818_7, 1.711_906_1, 0.368_679_34, 0.223_681_4, -1.481_207_6, 0.551_966_3,
        ]);
        // More numbers than the generator makes at once, and a key of more than 32 bits.
        let many = MersenneTwister::new((1 << 40) + 7).kaiming_uniform([40, 30]);
        assert_eq!(many.last(), Some(&-0.113_594_785));
    }

    #[test]
    fn a_narrow_layer_reads_the_first_rows() {
        let drawn = Projections::drawn(5, 2, [3, 4], &Device::flex());
        let scale = |width: usize| Param::from_tensor(Tensor::ones([width], &Device::flex()));
        let vera = drawn.update([1, 2], [scale(2), scale(2)]);
        let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().expect("f32");
        let [a, b] = drawn.values();
        assert_eq!(values(vera.a), a[..2]);
        assert_eq!(values(vera.b), [b[0], b[2], b[1], b[3]]);
    }
}
