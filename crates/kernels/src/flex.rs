//! Shared by the fused operations: when they apply, access to tensors as slices, and splitting rows among threads.

use std::ops::Range;

use burn::backend::{DispatchDevice, Flex, TensorMetadata};
use burn::tensor::{DType, Tensor, bf16};
use burn_flex::FlexTensor;
use rayon::prelude::*;

/// Elements in a task's share: enough to be worth waking a thread. It also fixes how sums are split, so that
/// results do not depend on the number of threads.
const ELEMENTS_PER_TASK: usize = 16 * 1024;

/// Whether the fused version supports this tensor; other devices and types use the reference.
pub fn is_fused<const D: usize>(tensor: &Tensor<D>) -> bool {
    let device = tensor.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::Flex(_)) && tensor.dtype() == DType::F32
}

/// The tensor's values on Flex, [`contiguous`].
///
/// # Panics
/// It is not supported by [`is_fused`].
pub fn into_flex<const D: usize>(tensor: Tensor<D>) -> FlexTensor {
    contiguous(
        (tensor.try_into_primitive::<Flex>()).expect("a tensor that the fused version takes"),
    )
}

pub fn from_flex<const D: usize>(tensor: FlexTensor) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(tensor)
}

/// The same values in row-major order without gaps; copies only if needed.
pub fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The tensor in f32, in the same layout: itself, or its bf16 values converted. A copy is to be dropped after its use;
/// only the bf16 values stay in memory.
pub fn widened(tensor: &FlexTensor) -> FlexTensor {
    if tensor.dtype() != DType::BF16 {
        return tensor.clone();
    }
    let narrow: &[bf16] = tensor.storage();
    let mut wide = vec![0.0; narrow.len()];
    for_each_share(&mut wide, 1, |start, share| {
        for (wide, narrow) in share.iter_mut().zip(&narrow[start..]) {
            *wide = narrow.to_f32();
        }
    });
    from_values(wide, [narrow.len()]).with_layout(tensor.layout().clone())
}

/// The values of a [`contiguous`] tensor.
pub fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("a contiguous f32 tensor")
}

/// The values of a [`contiguous`] tensor, copied first if the buffer is shared.
pub fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    tensor.storage_mut()
}

/// Not `FlexTensor::zeros`, which fills a buffer of bytes and then copies it into an aligned one.
pub fn zeros<const D: usize>(shape: [usize; D]) -> FlexTensor {
    from_values(vec![0.0; shape.iter().product()], shape)
}

pub fn from_values<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(burn::tensor::TensorData::new(values, shape))
}

pub fn dims2(tensor: &FlexTensor) -> [usize; 2] {
    tensor.shape().dims()
}

fn rows_per_task(width: usize) -> usize {
    (ELEMENTS_PER_TASK / width.max(1)).max(1)
}

/// Calls `work` for every share of `data`, with the share's start; a share consists of whole rows.
pub fn for_each_share(data: &mut [f32], width: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let length = rows_per_task(width) * width;
    if data.len() <= length {
        return work(0, data);
    }
    let shares = data.par_chunks_mut(length).enumerate();
    shares.for_each(|(index, share)| work(index * length, share));
}

/// Like [`for_each_share`], for two buffers of one shape.
pub fn for_each_share_of_two(
    one: &mut [f32],
    two: &mut [f32],
    width: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    let length = rows_per_task(width) * width;
    if one.len() <= length {
        return work(0, one, two);
    }
    let shares = one
        .par_chunks_mut(length)
        .zip(two.par_chunks_mut(length))
        .enumerate();
    shares.for_each(|(index, (one, two))| work(index * length, one, two));
}

/// Like [`for_each_share`], for three buffers of one length, split by elements.
pub fn for_each_share_of_three(
    [one, two, three]: [&mut [f32]; 3],
    work: impl Fn(usize, [&mut [f32]; 3]) + Sync,
) {
    let length = ELEMENTS_PER_TASK;
    if one.len() <= length {
        return work(0, [one, two, three]);
    }
    let shares = (one.par_chunks_mut(length))
        .zip(two.par_chunks_mut(length))
        .zip(three.par_chunks_mut(length))
        .enumerate();
    shares.for_each(|(index, ((one, two), three))| work(index * length, [one, two, three]));
}

/// The results of `work` for every share of `data`, in order; `work` also gets the share's start.
pub fn map_shares_mut<T: Send>(
    data: &mut [f32],
    work: impl Fn(usize, &mut [f32]) -> T + Sync,
) -> Vec<T> {
    if data.len() <= ELEMENTS_PER_TASK {
        return vec![work(0, data)];
    }
    let shares = data.par_chunks_mut(ELEMENTS_PER_TASK).enumerate();
    shares
        .map(|(index, share)| work(index * ELEMENTS_PER_TASK, share))
        .collect()
}

/// The results of `work` for every share of `rows` rows, in order.
pub fn map_shares<T: Send>(
    rows: usize,
    width: usize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    let per_task = rows_per_task(width);
    let share = |index: usize| work(index * per_task..rows.min((index + 1) * per_task));
    match rows.div_ceil(per_task) {
        1 => vec![share(0)],
        tasks => (0..tasks).into_par_iter().map(share).collect(),
    }
}

/// Adds `values` to `total`, element by element.
pub fn add_to(total: &mut [f32], values: &[f32]) {
    for (total, value) in total.iter_mut().zip(values) {
        *total += value;
    }
}

/// The sum of parts of this width, in order, because rounding depends on the order.
pub fn total(parts: Vec<Vec<f32>>, width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for part in parts {
        add_to(&mut total, &part);
    }
    total
}

/// The sum of the rows of a [`contiguous`] matrix.
pub fn column_sums(matrix: &FlexTensor) -> FlexTensor {
    let [rows, width] = dims2(matrix);
    let values = values(matrix);
    let parts = map_shares(rows, width, |rows| {
        let mut sum = vec![0.0; width];
        for row in values[rows.start * width..rows.end * width].chunks_exact(width) {
            add_to(&mut sum, row);
        }
        sum
    });
    from_values(total(parts, width), [width])
}
