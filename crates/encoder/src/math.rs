//! The arithmetic of the encoder over flat row-major slices: matrix product, softmax, GELU, layer
//! normalisation.
//!
//! Everything works in `f32` with absolute errors below 1e-6 per element, three orders of
//! magnitude under what half-precision storage of the final vectors rounds away. The loops are
//! written without branches or library calls so that the compiler vectorises them; a call to a
//! libm `erff` or `expf` per element would cost as much as the matrix products themselves.

/// A read-only matrix inside a slice: row `r` starts at `offset + r * row_stride`, and its elements
/// are `column_stride` apart.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub data: &'a [f32],
    pub offset: usize,
    pub rows: usize,
    pub columns: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

impl<'a> View<'a> {
    /// The whole of `data` as `rows` contiguous rows of `columns` elements.
    pub(crate) fn whole(data: &'a [f32], rows: usize, columns: usize) -> Self {
        View { data, offset: 0, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        View {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Whether every element lies inside `data` and every stride fits the signed type of `gemm`.
    fn in_bounds(&self) -> bool {
        fits(self.data.len(), self.offset, [self.rows, self.columns], [self.row_stride, self.column_stride])
    }
}

/// Whether the farthest element of a matrix lies inside a slice of `len` elements.
fn fits(len: usize, offset: usize, shape: [usize; 2], strides: [usize; 2]) -> bool {
    let farthest = shape.iter().zip(strides).try_fold(offset, |sum, (&count, stride)| {
        isize::try_from(stride).ok()?;
        sum.checked_add(count.checked_sub(1)?.checked_mul(stride)?)
    });
    farthest.is_some_and(|farthest| farthest < len)
}

/// `out = keep * out + left x right`, where `out` has `left.rows` rows of `right.columns` elements
/// that begin `out_offset` into the slice and are `out_stride` apart. `keep` is 1 or 0.
///
/// An empty product leaves `out` as it is.
///
/// # Panics
/// If the inner sizes differ or a matrix does not lie inside its slice. Both would be defects of
/// this crate: all sizes come from the shapes that were checked when the model was loaded.
pub(crate) fn matmul(
    left: View<'_>,
    right: View<'_>,
    out: &mut [f32],
    (out_offset, out_stride): (usize, usize),
    accumulate: bool,
) {
    if left.rows == 0 || left.columns == 0 || right.columns == 0 {
        return;
    }
    assert_eq!(left.columns, right.rows, "inner sizes of a matrix product");
    assert!(left.in_bounds() && right.in_bounds(), "operand in bounds");
    // Rows that overlap would make the result depend on the order in which `gemm` writes them.
    assert!(
        out_stride >= right.columns && fits(out.len(), out_offset, [left.rows, right.columns], [out_stride, 1]),
        "result in bounds"
    );
    // Cannot wrap: `fits` has checked every stride against `isize`.
    let signed = |stride: usize| stride.cast_signed();
    #[expect(
        unsafe_code,
        reason = "gemm offers nothing else; every index it can touch was checked just above, and \
                  `out` is borrowed exclusively, so it aliases neither operand"
    )]
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out[out_offset..].as_mut_ptr(),
            1,
            signed(out_stride),
            accumulate,
            left.data[left.offset..].as_ptr(),
            signed(left.column_stride),
            signed(left.row_stride),
            right.data[right.offset..].as_ptr(),
            signed(right.column_stride),
            signed(right.row_stride),
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            // Parallelism is over texts (see `encoder`), where no thread waits for another.
            gemm::Parallelism::None,
        );
    }
}

/// e^x for `x <= 0`, within 2 units in the last place; 0 below -87, where `f32` has no normal
/// numbers left.
///
/// e^x = 2^n * e^r with n = round(x / ln 2) and |r| <= ln 2 / 2; e^r is its Taylor polynomial of
/// degree 7, whose first missing term is below 6e-9 there, and 2^n is built in the exponent bits.
#[inline]
fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 leaves the rounded integer in the low mantissa bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with enough trailing zero bits that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.max(-87.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    // The low 9 bits hold n + 127 once the bias is added; the shift moves them to the exponent and
    // drops everything above.
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { p * power }
}

/// The exact GELU, `x * Phi(x)`, in place.
///
/// `Phi` by the rational approximation of the error function in Abramowitz and Stegun, Handbook of
/// Mathematical Functions, 7.1.26 (absolute error at most 1.5e-7).
pub(crate) fn gelu(values: &mut [f32]) {
    for value in values {
        let x = *value;
        let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let mut p = 1.061_405_4;
        p = p * t - 1.453_152_1;
        p = p * t + 1.421_413_8;
        p = p * t - 0.284_496_72;
        p = p * t + 0.254_829_6;
        // 1 - erf(z); half of it is the tail of the normal distribution beyond |x|.
        let tail = 0.5 * p * t * exp(-z * z);
        *value = if x < 0.0 { x * tail } else { x - x * tail };
    }
}

/// Combines all elements of `row` by `combine`, which must be associative and commutative up to
/// rounding, starting from its neutral element.
///
/// Eight independent running values: a single one would make each step wait for the one before.
#[inline]
fn reduce(row: &[f32], neutral: f32, combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [neutral; 8];
    let (blocks, rest) = row.as_chunks::<8>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane = combine(*lane, *value);
        }
    }
    lanes.iter().chain(rest).fold(neutral, |total, value| combine(total, *value))
}

fn sum(row: &[f32]) -> f32 {
    reduce(row, 0.0, |a, b| a + b)
}

fn sum_of_squares(row: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (blocks, rest) = row.as_chunks::<8>();
    for block in blocks {
        for (lane, value) in lanes.iter_mut().zip(block) {
            *lane += value * value;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().map(|v| v * v).sum::<f32>()
}

/// Softmax of `scale * row` for each row of `columns` elements, in place.
pub(crate) fn softmax(values: &mut [f32], columns: usize, scale: f32) {
    for row in values.chunks_exact_mut(columns) {
        let highest = reduce(row, f32::NEG_INFINITY, |a, b| if a > b { a } else { b });
        for value in row.iter_mut() {
            *value = exp((*value - highest) * scale);
        }
        let inverse = 1.0 / sum(row);
        for value in row.iter_mut() {
            *value *= inverse;
        }
    }
}

/// Layer normalisation of each row: to mean 0 and variance 1 (`epsilon` is added to the variance),
/// then times `scale` plus `shift`, in place. A row is as long as `scale`.
pub(crate) fn layer_norm(values: &mut [f32], scale: &[f32], shift: &[f32], epsilon: f32) {
    #[expect(clippy::cast_precision_loss, reason = "a row length, far below 2^24, is exact in f32")]
    let count = scale.len() as f32;
    for row in values.chunks_exact_mut(scale.len()) {
        let mean = sum(row) / count;
        for value in row.iter_mut() {
            *value -= mean;
        }
        let variance = sum_of_squares(row) / count;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = *value * inverse * scale + shift;
        }
    }
}

/// Scales `row` to length 1. A row of zeros, which has no direction, stays as it is.
pub(crate) fn normalize(row: &mut [f32]) {
    let length = sum_of_squares(row).sqrt();
    if length > 0.0 {
        for value in row {
            *value /= length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_double_precision() {
        let mut x = -86.9_f32;
        while x <= 0.0 {
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "exp({x}) is off by {error:e}");
            x += 0.001_7;
        }
        assert_eq!(exp(-1000.0).to_bits(), 0.0_f32.to_bits());
    }

    #[test]
    fn gelu_has_its_known_values() {
        // x * Phi(x) to ten digits, from tables of the normal distribution.
        let mut values = [-6.0_f32, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 6.0];
        let exact =
            [-5.919_525_9e-9_f32, -0.045_500_264, -0.154_268_77, 0.0, 0.345_731_23, 0.841_344_8, 1.954_499_7, 6.0];
        gelu(&mut values);
        for (value, exact) in values.iter().zip(exact) {
            assert!((value - exact).abs() < 1e-6, "{value} for {exact}");
        }
    }

    #[test]
    fn softmax_sums_to_one_and_keeps_order() {
        let mut row = [1.0_f32, 3.0, -200.0, 2.0, 0.0, 0.5, 1.5, 2.5, 2.75];
        softmax(&mut row, 9, 0.5);
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(row[1] > row[8] && row[8] > row[7] && row[7] > row[3]);
        assert!((row[1] / row[3] - 0.5_f32.exp()).abs() < 1e-5);
        assert!(row[2] < 1e-30);
    }

    #[test]
    fn layer_norm_centres_and_scales() {
        let mut row = [2.0_f32, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        layer_norm(&mut row, &[2.0; 8], &[1.0; 8], 0.0);
        // Mean 5, standard deviation 2.
        let exact = [-2.0_f32, 0.0, 0.0, 0.0, 1.0, 1.0, 3.0, 5.0];
        for (value, exact) in row.iter().zip(exact) {
            assert!((value - exact).abs() < 1e-6);
        }
    }

    #[test]
    fn matmul_multiplies_views_and_keeps_what_it_is_told_to() {
        let left = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let right = [1.0, 0.0, 2.0, 0.0, 1.0, 1.0];
        let mut out = [10.0_f32; 5];
        // 2x3 times the transpose of 2x3, written with an offset of 1.
        let right = View::whole(&right, 2, 3).transposed();
        matmul(View::whole(&left, 2, 3), right, &mut out, (1, 2), false);
        assert!(close(&out, &[10.0, 7.0, 5.0, 16.0, 11.0]));
        matmul(View::whole(&left, 2, 3), right, &mut out, (1, 2), true);
        assert!(close(&out, &[10.0, 14.0, 10.0, 32.0, 22.0]));
    }

    #[test]
    #[should_panic(expected = "operand in bounds")]
    fn matmul_refuses_a_view_that_leaves_its_slice() {
        let data = [0.0; 6];
        let left = View { offset: 1, ..View::whole(&data, 2, 3) };
        matmul(left, View::whole(&data, 3, 2), &mut [0.0; 4], (0, 2), false);
    }

    #[test]
    #[should_panic(expected = "result in bounds")]
    fn matmul_refuses_a_result_that_leaves_its_slice() {
        let data = [0.0; 6];
        matmul(View::whole(&data, 2, 3), View::whole(&data, 3, 2), &mut [0.0; 4], (1, 2), false);
    }

    fn close(values: &[f32], exact: &[f32]) -> bool {
        values.len() == exact.len() && values.iter().zip(exact).all(|(value, exact)| (value - exact).abs() < 1e-6)
    }
}
