//! Cells: a set of vectors divided by nearness, so that the nearest of many are looked for in the few cells that lie
//! near. Spherical k-means (Dhillon and Modha, 2001): centres have length 1, and near is a great inner product.
//!
//! Everything is the same each time for the same vectors: no chance is involved but that of a fixed sequence.

use crate::math::{View, matmul};

/// Rounds of k-means; the centres hardly move afterwards.
const ROUNDS: usize = 8;
/// Vectors held against all centres at once: their products fit the processor's cache.
const BLOCK: usize = 256;

/// Vectors of one length, one after the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    dimensions: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// None yet, of so many dimensions.
    #[must_use]
    pub const fn new(dimensions: usize) -> Self {
        Self { dimensions, values: Vec::new() }
    }

    /// Adds one; `false`, and nothing added, when it is of another length.
    pub fn push(&mut self, vector: &[f32]) -> bool {
        let fits = vector.len() == self.dimensions && !vector.is_empty();
        if fits {
            self.values.extend_from_slice(vector);
        }
        fits
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.values.len().checked_div(self.dimensions) {
            Some(many) => many,
            None => 0,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// For each vector, the place of the nearest of `centres`, of which there must be one.
    #[must_use]
    pub fn nearest(&self, centres: &Self) -> Vec<usize> {
        if centres.is_empty() || self.dimensions != centres.dimensions {
            return Vec::new();
        }
        let count = centres.len();
        let right = View::whole(&centres.values, count, self.dimensions).transposed();
        let mut products = vec![0.0; BLOCK * count];
        let mut nearest = Vec::with_capacity(self.len());
        for block in self.values.chunks(BLOCK * self.dimensions) {
            let rows = block.len() / self.dimensions;
            matmul(View::whole(block, rows, self.dimensions), right, &mut products, (0, count), false);
            nearest.extend(products.chunks_exact(count).take(rows).map(greatest));
        }
        nearest
    }

    /// The centres of at most `count` cells of these vectors.
    #[must_use]
    pub fn centres(&self, count: usize) -> Self {
        let count = count.clamp(1, self.len().max(1));
        let mut centres = Self::new(self.dimensions);
        if self.is_empty() {
            return centres;
        }
        // Spread over the whole; a step that shares no factor with the length visits all before any twice.
        let step = step_of(self.len());
        let vectors: Vec<&[f32]> = self.iter().collect();
        for number in 0..count {
            centres.values.extend_from_slice(vectors[number * step % vectors.len()]);
        }
        let mut spare = count;
        for _ in 0..ROUNDS {
            let nearest = self.nearest(&centres);
            let mut sums = vec![0.0_f32; centres.values.len()];
            let mut sizes = vec![0_usize; count];
            for (vector, &cell) in vectors.iter().zip(&nearest) {
                sizes[cell] += 1;
                let sum = &mut sums[cell * self.dimensions..(cell + 1) * self.dimensions];
                sum.iter_mut().zip(*vector).for_each(|(sum, value)| *sum += value);
            }
            let moved = centres.values.chunks_exact_mut(self.dimensions);
            for ((centre, sum), size) in moved.zip(sums.chunks_exact_mut(self.dimensions)).zip(&sizes) {
                if *size == 0 {
                    // Of no use where it is: another vector may be a better beginning.
                    centre.copy_from_slice(vectors[spare * step % vectors.len()]);
                    spare += 1;
                } else if normalise(sum) {
                    centre.copy_from_slice(sum);
                }
            }
        }
        centres
    }
}

/// The place of the greatest; the first of several.
fn greatest(products: &[f32]) -> usize {
    let first = (0, f32::NEG_INFINITY);
    let pick =
        |best: (usize, f32), (place, &product): (usize, &f32)| if product > best.1 { (place, product) } else { best };
    products.iter().enumerate().fold(first, pick).0
}

/// To length 1; `false` for a vector without a direction.
fn normalise(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > f32::MIN_POSITIVE {
        for value in &mut *vector {
            *value /= length;
        }
        return true;
    }
    false
}

/// About the golden section of a length, with no factor in common with it.
fn step_of(length: usize) -> usize {
    const fn common(left: usize, right: usize) -> usize {
        if right == 0 { left } else { common(right, left % right) }
    }
    let mut step = (length * 618 / 1000).max(1);
    while common(step, length) != 1 {
        step += 1;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around `groups` directions, in the order of a fixed sequence.
    fn clustered(groups: usize, each: usize) -> Vectors {
        let mut state = 0x9e37_79b9_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(state >> 16).unwrap()) / 65536.0 - 0.5
        };
        let bases: Vec<Vec<f32>> = (0..groups).map(|_| (0..32).map(|_| next()).collect()).collect();
        let mut vectors = Vectors::new(32);
        for _ in 0..each {
            for base in &bases {
                let mut vector: Vec<f32> = base.iter().map(|value| value + 0.1 * next()).collect();
                assert!(normalise(&mut vector) && vectors.push(&vector));
            }
        }
        vectors
    }

    #[test]
    fn vectors_of_one_group_share_a_cell() {
        let vectors = clustered(7, 40);
        let centres = vectors.centres(7);
        assert_eq!(centres.len(), 7);
        let cells = vectors.nearest(&centres);
        assert_eq!(cells.len(), 280);
        // By how the vectors come, those of a group are seven apart.
        for place in 7..cells.len() {
            assert_eq!(cells[place], cells[place - 7], "{place}");
        }
        assert_eq!(vectors.centres(7), centres);
    }

    #[test]
    fn there_are_never_more_cells_than_vectors() {
        let vectors = clustered(2, 1);
        assert_eq!(vectors.centres(100).len(), 2);
        assert_eq!(vectors.centres(0).len(), 1);
        let none = Vectors::new(32);
        assert!(none.centres(3).is_empty() && none.nearest(&vectors).is_empty());
        assert!(vectors.nearest(&none).is_empty());
    }

    #[test]
    fn a_vector_of_another_length_is_not_taken() {
        let mut vectors = Vectors::new(3);
        assert!(!vectors.push(&[1.0, 0.0]) && vectors.push(&[1.0, 0.0, 0.0]));
        assert_eq!((vectors.len(), vectors.iter().count()), (1, 1));
        assert!(!Vectors::new(0).push(&[]));
    }
}
