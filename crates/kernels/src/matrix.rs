//! Matrix views into larger buffers, and their products: the only place that calls `gemm`.

use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
use private_gemm_x86::InstrSet;

#[cfg(target_arch = "x86_64")]
use super::vector::has_avx2_and_fma;

/// A read-only matrix view into a buffer.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Starts at the matrix's first element.
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows` rows of `columns` adjacent elements; consecutive rows start `row_stride` elements apart.
    pub fn new(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        if rows > 0 && columns > 0 {
            let used = (rows - 1) * row_stride + columns;
            assert!(used <= data.len(), "a matrix reaches beyond its buffer");
        }
        Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The whole buffer as `rows` rows of `columns`, without gaps.
    pub fn whole(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::new(data, rows, columns, columns)
    }

    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// One row; the matrix must not be transposed.
    #[inline(always)]
    pub fn row(self, index: usize) -> &'a [f32] {
        debug_assert_eq!(self.column_stride, 1, "columns are neighbours");
        &self.data[index * self.row_stride..][..self.columns]
    }

    /// `count` rows, starting at row `first`.
    pub fn rows(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows, "rows beyond the matrix");
        // An empty matrix may start beyond its buffer.
        let start = (first * self.row_stride).min(self.data.len());
        Self {
            data: &self.data[start..],
            rows: count,
            ..self
        }
    }
}

/// A writable matrix view into a buffer whose other parts may be written concurrently.
pub struct MatrixMut<'a> {
    first: *mut f32,
    rows: usize,
    columns: usize,
    row_stride: usize,
    buffer: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `MatrixMut` is the only way to reach its elements while it lives, like `&mut [f32]`.
unsafe impl Send for MatrixMut<'_> {}

impl<'a> MatrixMut<'a> {
    /// The whole buffer as `rows` rows of `columns`.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        assert!(
            rows * columns <= data.len(),
            "a matrix reaches beyond its buffer"
        );
        let first = data.as_mut_ptr();
        Self {
            first,
            rows,
            columns,
            row_stride: columns,
            buffer: PhantomData,
        }
    }

    /// The blocks of a buffer `[batch * rows, heads * width]`, one per example and head, in that order.
    pub fn blocks(data: &'a mut [f32], batch: usize, heads: usize, width: usize) -> Vec<Self> {
        let row_stride = heads * width;
        let rows = data.len() / (batch * row_stride).max(1);
        assert_eq!(
            data.len(),
            batch * rows * row_stride,
            "a buffer of whole blocks"
        );
        let start = data.as_mut_ptr();
        let block = |index: usize| {
            let offset = (index / heads) * rows * row_stride + (index % heads) * width;
            // `wrapping_add`, because the offset of a block in an empty buffer may be out of bounds; such
            // blocks have no rows, so nothing is read or written there.
            let first = start.wrapping_add(offset);
            // No two blocks share an element: they differ in the example, hence the rows, or in
            // the head, hence the columns.
            Self {
                first,
                rows,
                columns: width,
                row_stride,
                buffer: PhantomData,
            }
        };
        (0..batch * heads).map(block).collect()
    }

    /// `count` rows, starting at row `first`; borrows `self` mutably.
    pub fn rows(&mut self, first: usize, count: usize) -> MatrixMut<'_> {
        assert!(first + count <= self.rows, "rows beyond the matrix");
        let first = self.first.wrapping_add(first * self.row_stride);
        MatrixMut {
            first,
            rows: count,
            buffer: PhantomData,
            ..*self
        }
    }

    /// The whole matrix; borrows `self` mutably.
    pub fn reborrowed(&mut self) -> MatrixMut<'_> {
        MatrixMut {
            buffer: PhantomData,
            ..*self
        }
    }

    /// One row.
    pub fn row(&mut self, index: usize) -> &mut [f32] {
        assert!(index < self.rows, "a row beyond the matrix");
        // SAFETY: the row is inside the buffer, and `self` has exclusive access to it.
        unsafe {
            std::slice::from_raw_parts_mut(self.first.add(index * self.row_stride), self.columns)
        }
    }

    /// `self = left right`.
    pub fn set_product(&mut self, left: Matrix, right: Matrix) {
        self.product(left, right, Write::Replace);
    }

    /// `self += left right`.
    pub fn add_product(&mut self, left: Matrix, right: Matrix) {
        self.product(left, right, Write::Add);
    }

    fn product(&mut self, left: Matrix, right: Matrix, write: Write) {
        assert_eq!(left.rows, self.rows, "a product's rows");
        assert_eq!(right.columns, self.columns, "a product's columns");
        assert_eq!(left.columns, right.rows, "a product's inner length");
        // SAFETY: each matrix lies inside its buffer, as its constructors check; `self` shares no element
        // with the others, because it borrows its elements mutably. Single-threaded, because the callers
        // already distribute their work among all threads.
        unsafe { multiply(self, left, right, write, Threads::This) }
    }
}

/// Minimum number of multiplications of a product worth distributing among threads.
const WORTH_SHARING: usize = 128 * 128 * 128;

/// `left right`, in row-major order, on all threads if it is large.
pub fn product(left: Matrix, right: Matrix) -> Vec<f32> {
    assert_eq!(left.columns, right.rows, "a product's inner length");
    let (rows, columns, inner) = (left.rows, right.columns, left.columns);
    if inner == 0 {
        return vec![0.0; rows * columns];
    }
    let threads = match rows * columns * inner < WORTH_SHARING {
        true => Threads::This,
        false => Threads::All,
    };
    let mut result = Vec::with_capacity(rows * columns);
    let output = MatrixMut {
        first: result.as_mut_ptr(),
        rows,
        columns,
        row_stride: columns,
        buffer: PhantomData,
    };
    // SAFETY: the output has the buffer's size and is owned exclusively; it is fully written, and not read
    // before it is marked as initialised.
    unsafe {
        multiply(&output, left, right, Write::Replace, threads);
        result.set_len(rows * columns);
    }
    result
}

/// Whether a product replaces its output or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Replace,
    Add,
}

/// Which threads compute a product.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Threads {
    This,
    All,
}

/// `output = left right`, or `output += left right`.
///
/// # Safety
///
/// The sizes fit, and each matrix lies inside its buffer.
unsafe fn multiply(
    output: &MatrixMut,
    left: Matrix,
    right: Matrix,
    write: Write,
    threads: Threads,
) {
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if let Some(instructions) = instructions(output.rows, output.columns) {
            return multiply_with(instructions, output, left, right, write, threads);
        }
        gemm::gemm(
            output.rows,
            output.columns,
            left.columns,
            output.first,
            1,
            output.row_stride as isize,
            write == Write::Add,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            match threads {
                Threads::This => gemm::Parallelism::None,
                Threads::All => gemm::Parallelism::Rayon(0),
            },
        );
    }
}

/// Creates the packing buffers of products on this thread. At its first product on a thread,
/// `private-gemm-x86` reserves twice the third-level cache, but touches only what the product needs.
pub fn reserve_buffers() {
    let [left, right] = [[0.0; MANY], [0.0; MANY]];
    product(
        Matrix::whole(&left, MANY, 1),
        Matrix::whole(&right, 1, MANY),
    );
}

/// The minimum number of rows and columns from which [`multiply_with`] is faster.
const MANY: usize = 48;

/// The instructions for [`multiply_with`], if it is faster: the widest that the processor has. `gemm`, as it is compiled
/// here, has none beyond AVX2.
#[cfg(target_arch = "x86_64")]
fn instructions(rows: usize, columns: usize) -> Option<InstrSet> {
    let has_avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match rows >= MANY && columns >= MANY && has_avx2_and_fma() {
        false => None,
        true if has_avx512 => Some(InstrSet::Avx512),
        true => Some(InstrSet::Avx256),
    }
}

/// # Safety
///
/// As [`multiply`], on a processor with these instructions.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply_with(
    instructions: InstrSet,
    output: &MatrixMut,
    left: Matrix,
    right: Matrix,
    write: Write,
    threads: Threads,
) {
    use private_gemm_x86::{Accum, DType, DstKind, IType, gemm};
    use std::ptr::null;
    let one = 1.0_f32;
    // SAFETY: as the caller promises.
    unsafe {
        gemm(
            DType::F32,
            IType::U64,
            instructions,
            output.rows,
            output.columns,
            left.columns,
            output.first.cast(),
            output.row_stride as isize,
            1,
            null(),
            null(),
            DstKind::Full,
            match write {
                Write::Add => Accum::Add,
                Write::Replace => Accum::Replace,
            },
            left.data.as_ptr().cast(),
            left.row_stride as isize,
            left.column_stride as isize,
            false,
            null(),
            0,
            right.data.as_ptr().cast(),
            right.row_stride as isize,
            right.column_stride as isize,
            false,
            (&raw const one).cast(),
            match threads {
                Threads::This => 1,
                Threads::All => rayon::current_num_threads(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, MatrixMut};

    #[test]
    fn products_of_blocks_and_transposes() {
        // Two examples of two rows, two heads of width 1; this is the second head of the second example.
        let mut data = vec![0.0; 8];
        let left = [1.0, 2.0, 3.0, 4.0];
        let right = [10.0, 100.0];
        let mut blocks = MatrixMut::blocks(&mut data, 2, 2, 1);
        let (left, right) = (Matrix::new(&left, 2, 2, 2), Matrix::new(&right, 2, 1, 1));
        blocks[3].set_product(left, right);
        blocks[3].add_product(left.transposed(), right);
        blocks[0].rows(1, 1).set_product(left.rows(1, 1), right);
        assert_eq!(
            data,
            [0.0, 0.0, 430.0, 0.0, 0.0, 210.0 + 310.0, 0.0, 430.0 + 420.0]
        );
    }
}
