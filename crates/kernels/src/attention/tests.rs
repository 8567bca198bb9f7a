use burn::tensor::Tensor;
use proptest::prelude::*;

use super::{
    AttentionInputs, DistanceBias, Dropped, Heads, Recent, Visible, Window, attention, reference,
};
use crate::dropout::Mask;
use crate::testing::{Input, Role, check, check_differences, layouts, noise, roles};

#[derive(Clone, Copy, Debug)]
struct Sizes {
    batch: usize,
    heads: usize,
    /// Query heads per key head.
    shared: usize,
    queries: usize,
    keys: usize,
    width: usize,
    /// Prefix keys without a bias.
    free: usize,
}

impl Sizes {
    /// Query, key, value and bias, all tracked.
    fn inputs(self, seed: u64) -> [Input; 4] {
        let Self {
            batch,
            heads,
            shared,
            queries,
            keys,
            width,
            free,
        } = self;
        let key_width = heads / shared * width;
        [
            Input::tracked([batch * queries, heads * width], seed),
            Input::tracked([batch * keys, key_width], seed + 1),
            Input::tracked([batch * keys, key_width], seed + 2),
            Input::tracked([heads, queries + keys - free - 1], seed + 3),
        ]
    }

    /// Lengths, some 0 and some complete.
    fn lengths(self, seed: u64) -> Vec<usize> {
        self.shares(seed, self.batch)
    }

    /// The same for every query.
    fn counts(self, seed: u64) -> Vec<usize> {
        self.shares(seed, self.batch * self.queries)
    }

    fn shares(self, seed: u64, count: usize) -> Vec<usize> {
        let share = |noise: f32| (noise / 2.5 + 0.5).clamp(0.0, 1.0);
        let length = |noise: f32| (share(noise) * self.keys as f32).round() as usize;
        noise(seed, count).into_iter().map(length).collect()
    }
}

type Attention = fn(AttentionInputs, Heads) -> Tensor<2>;

/// Query, key, value and optionally a bias as inputs.
fn with(
    attention: Attention,
    sizes: Sizes,
    visible: Visible<'_>,
    dropped: Option<Dropped>,
) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
    move |inputs| {
        let [query, key, value] = [0, 1, 2].map(|index: usize| inputs[index].clone());
        let bias =
            (inputs.get(3)).map(|bias| DistanceBias::new(bias.clone()).after_prefix(sizes.free));
        let how = Heads {
            batch: sizes.batch,
            heads: sizes.heads,
            visible,
            dropped,
            cap: None,
        };
        let inputs = AttentionInputs {
            query,
            key,
            value,
            bias,
        };
        attention(inputs, how)
    }
}

fn check_sizes(sizes: Sizes, visible: Visible, dropped: Option<Dropped>, inputs: &[Input]) {
    check(
        &with(attention, sizes, visible, dropped),
        &with(reference, sizes, visible, dropped),
        inputs,
    );
}

fn dropped() -> impl Strategy<Value = Option<Dropped>> {
    let mask = (0.0..0.8, 1..1000_u64).prop_map(|(rate, seed)| Mask::new(rate, seed, 5));
    prop_oneof![
        Just(None),
        mask.clone().prop_map(|mask| Some(Dropped::Each(mask))),
        mask.prop_map(|mask| Some(Dropped::Keys(mask))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn agrees_with_the_reference(
        (batch, heads, shared, width) in (1..7_usize, 1..4_usize, 1..4_usize, 1..10_usize),
        (queries, keys) in (1..150_usize, 1..50_usize),
        which in 0..3_usize,
        free in 0..4_usize,
        biased in any::<bool>(),
        dropped in dropped(),
        roles in [roles(), roles(), roles(), roles()],
        layout in layouts(),
        seed in 1..1000_u64,
    ) {
        let keys = if which == 0 { queries } else { keys };
        let sizes = Sizes { batch, heads: heads * shared, shared, queries, keys, width, free: free.min(keys - 1) };
        let mut inputs = sizes.inputs(seed);
        for (input, role) in inputs.iter_mut().zip(roles) {
            input.role = role;
            input.layout = layout;
        }
        let (lengths, counts) = (sizes.lengths(seed), sizes.counts(seed));
        let visible = [Visible::Causal, Visible::Lengths(&lengths), Visible::Counts(&counts)];
        check_sizes(sizes, visible[which], dropped, &inputs[..if biased { 4 } else { 3 }]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn windows_agree_with_the_reference(
        (batch, heads, width) in (1..5_usize, 1..4_usize, 1..10_usize),
        (queries, prefix, radius) in (1..300_usize, 0..4_usize, 0..40_usize),
        dropped in dropped(),
        roles in [roles(), roles(), roles()],
        layout in layouts(),
        seed in 1..1000_u64,
    ) {
        let keys = queries + prefix;
        let sizes = Sizes { batch, heads, shared: 1, queries, keys, width, free: 0 };
        let [query, key, value, _] = sizes.inputs(seed);
        let mut inputs = [query, key, value];
        for (input, role) in inputs.iter_mut().zip(roles) {
            input.role = role;
            input.layout = layout;
        }
        let lengths: Vec<usize> = sizes.lengths(seed).into_iter().map(|length| length.max(prefix)).collect();
        let window = Window { lengths: &lengths, prefix, radius };
        check_sizes(sizes, Visible::Near(window), dropped, &inputs);
    }
}

#[test]
fn a_window_is_what_it_says() {
    let sizes = Sizes {
        batch: 1,
        heads: 1,
        shared: 1,
        queries: 5,
        keys: 6,
        width: 1,
        free: 0,
    };
    let device = burn::tensor::Device::flex();
    let zeros = Tensor::<2>::zeros([5, 1], &device);
    let rows = |values: [f32; 6]| Tensor::<1>::from_floats(values, &device).reshape([6, 1]);
    let inputs = [zeros, rows([0.0; 6]), rows([60.0, 1.0, 2.0, 3.0, 4.0, 5.0])];
    // The last token is padding; the first key is a prefix.
    let window = Window {
        lengths: &[5],
        prefix: 1,
        radius: 1,
    };
    let output = with(attention, sizes, Visible::Near(window), None)(&inputs);
    let output: Vec<f32> = output.into_data().try_to_vec().expect("f32");
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let wanted = [
        mean(&[60.0, 1.0, 2.0]),
        mean(&[60.0, 1.0, 2.0, 3.0]),
        mean(&[60.0, 2.0, 3.0, 4.0]),
        mean(&[60.0, 3.0, 4.0]),
        mean(&[60.0, 4.0]),
    ];
    for (found, wanted) in output.iter().zip(wanted) {
        assert!((found - wanted).abs() < 1e-5, "{output:?}");
    }
}

#[test]
fn agrees_with_the_reference_at_the_size_of_a_miniature() {
    let sizes = Sizes {
        batch: 5,
        heads: 4,
        shared: 1,
        queries: 150,
        keys: 150,
        width: 32,
        free: 0,
    };
    check_sizes(sizes, Visible::Causal, None, &sizes.inputs(1));
    check_sizes(
        sizes,
        Visible::Lengths(&[150, 3, 0, 128, 65]),
        Some(Dropped::Each(Mask::new(0.1, 2, 0))),
        &sizes.inputs(2),
    );
    let sharing = Sizes { shared: 4, ..sizes };
    check_sizes(
        sharing,
        Visible::Causal,
        Some(Dropped::Keys(Mask::new(0.1, 3, 0))),
        &sharing.inputs(3),
    );
}

/// Attention whose scores are capped; the bias is added to capped scores.
fn capped<'a>(
    attention: Attention,
    sizes: Sizes,
    visible: Visible<'a>,
    cap: Option<f32>,
) -> impl Fn(&[Tensor<2>]) -> Tensor<2> + Sync + 'a {
    move |inputs| {
        let [query, key, value] = [0, 1, 2].map(|index: usize| inputs[index].clone());
        let inputs = AttentionInputs {
            query,
            key,
            value,
            bias: (inputs.get(3)).map(|bias| DistanceBias::new(bias.clone())),
        };
        let how = Heads {
            batch: sizes.batch,
            heads: sizes.heads,
            visible,
            dropped: None,
            cap,
        };
        attention(inputs, how)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// Sequences after a prefix, in decoding (one query) too.
    #[test]
    fn causal_windows_and_capped_scores_agree_with_the_reference(
        (batch, heads, shared, width) in (1..5_usize, 1..3_usize, 1..3_usize, 1..10_usize),
        (queries, past, prefix, window) in (1..300_usize, 0..40_usize, 0..4_usize, 1..40_usize),
        cap in prop_oneof![Just(None), (0.5..50.0_f32).prop_map(Some)],
        is_decoding in any::<bool>(),
        roles in [roles(), roles(), roles()],
        layout in layouts(),
        seed in 1..1000_u64,
    ) {
        let queries = if is_decoding { 1 } else { queries };
        let keys = prefix + past + queries;
        let sizes = Sizes { batch, heads: heads * shared, shared, queries, keys, width, free: 0 };
        let [query, key, value, _] = sizes.inputs(seed);
        let mut inputs = [query, key, value];
        for (input, role) in inputs.iter_mut().zip(roles) {
            input.role = role;
            input.layout = layout;
        }
        let counts: Vec<usize> = (0..batch).flat_map(|_| prefix + past + 1..=keys).collect();
        let recent = Visible::Recent(Recent { counts: &counts, prefix, window });
        let of = |attention| capped(attention, sizes, recent, cap);
        check(&of(attention), &of(reference), &inputs);
    }

    #[test]
    fn capped_scores_with_a_bias_agree_with_the_reference(
        (batch, heads, width) in (1..5_usize, 1..3_usize, 1..10_usize),
        queries in 1..150_usize,
        cap in 0.5..50.0_f32,
        seed in 1..1000_u64,
    ) {
        let sizes = Sizes { batch, heads, shared: 1, queries, keys: queries, width, free: 0 };
        let of = |attention| capped(attention, sizes, Visible::Causal, Some(cap));
        check(&of(attention), &of(reference), &sizes.inputs(seed));
    }
}

#[test]
fn gradients_of_capped_scores_in_a_window_are_differences() {
    let sizes = Sizes {
        batch: 2,
        heads: 4,
        shared: 2,
        queries: 3,
        keys: 4,
        width: 2,
        free: 0,
    };
    let recent = Recent {
        counts: &[2, 3, 4, 2, 3, 4],
        prefix: 1,
        window: 2,
    };
    let of = capped(attention, sizes, Visible::Recent(recent), Some(0.7));
    check_differences(&of, &sizes.inputs(9)[..3]);
}

#[test]
fn gradients_are_differences() {
    let sizes = Sizes {
        batch: 2,
        heads: 2,
        shared: 1,
        queries: 3,
        keys: 3,
        width: 2,
        free: 0,
    };
    check_differences(
        &with(attention, sizes, Visible::Causal, None),
        &sizes.inputs(3),
    );
    let counts = Visible::Counts(&[1, 3, 2, 0, 2, 3]);
    let sharing = Sizes {
        heads: 4,
        shared: 2,
        ..sizes
    };
    check_differences(
        &with(
            attention,
            sharing,
            counts,
            Some(Dropped::Keys(Mask::new(0.4, 1, 0))),
        ),
        &sharing.inputs(3),
    );
    let lengths = Visible::Lengths(&[2, 3]);
    check_differences(
        &with(
            attention,
            sizes,
            lengths,
            Some(Dropped::Each(Mask::new(0.4, 2, 0))),
        ),
        &sizes.inputs(4),
    );
    check_differences(
        &with(attention, sizes, lengths, None),
        &sizes.inputs(5)[..3],
    );
    let window = Window {
        lengths: &[4, 3],
        prefix: 1,
        radius: 1,
    };
    let local = Sizes { keys: 4, ..sizes };
    check_differences(
        &with(attention, local, Visible::Near(window), None),
        &local.inputs(7)[..3],
    );
    let prefixed = Sizes { free: 2, ..sizes };
    check_differences(
        &with(attention, prefixed, lengths, None),
        &prefixed.inputs(6),
    );
}

#[test]
fn each_input_alone_has_its_gradient() {
    let sizes = Sizes {
        batch: 3,
        heads: 4,
        shared: 2,
        queries: 70,
        keys: 20,
        width: 8,
        free: 0,
    };
    for tracked in 0..4 {
        let mut inputs = sizes.inputs(6);
        for (index, input) in inputs.iter_mut().enumerate() {
            input.role = if index == tracked {
                Role::Tracked
            } else {
                Role::Frozen
            };
        }
        check_sizes(sizes, Visible::Lengths(&[20, 7, 13]), None, &inputs);
    }
}

#[test]
fn joint_projections_are_sliced_without_a_copy() {
    let sizes = Sizes {
        batch: 2,
        heads: 2,
        shared: 1,
        queries: 12,
        keys: 12,
        width: 8,
        free: 0,
    };
    let sliced = |attention: Attention| {
        move |inputs: &[Tensor<2>]| {
            let part = |index: usize| {
                inputs[0]
                    .clone()
                    .slice([0..24, index * 16..index * 16 + 16])
            };
            attention(
                AttentionInputs {
                    query: part(0),
                    key: part(1),
                    value: part(2),
                    bias: None,
                },
                Heads {
                    batch: 2,
                    heads: 2,
                    visible: Visible::Lengths(&[12, 5]),
                    dropped: None,
                    cap: None,
                },
            )
        }
    };
    let joint = Input::tracked([sizes.batch * sizes.queries, 48], 7);
    check(&sliced(attention), &sliced(reference), &[joint]);
}

#[test]
fn a_query_without_keys_gives_zero() {
    let sizes = Sizes {
        batch: 2,
        heads: 1,
        shared: 1,
        queries: 2,
        keys: 3,
        width: 2,
        free: 0,
    };
    let [query, key, value, _] = sizes
        .inputs(8)
        .map(|input| Tensor::<2>::ones(input.shape, &burn::tensor::Device::flex()));
    let how = Heads {
        batch: 2,
        heads: 1,
        visible: Visible::Lengths(&[0, 3]),
        dropped: None,
        cap: None,
    };
    let inputs = AttentionInputs {
        query,
        key,
        value,
        bias: None,
    };
    let output = attention(inputs, how);
    let wanted = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), wanted);
}
