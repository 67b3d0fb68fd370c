//! The square of a picture that the network sees.

use std::ops::Range;

/// Where the square lies; it may reach beyond the picture, whose border pixels then repeat.
pub(super) struct Window {
    /// First row; negative above the picture.
    pub(super) top: i64,
    /// First column; negative left of the picture.
    pub(super) left: i64,
    /// Side in pixels.
    pub(super) side: u32,
    /// Whether left and right are swapped.
    pub(super) mirrored: bool,
}

impl Window {
    /// The rows of a picture of `height` rows that are read.
    pub(super) fn rows(&self, height: u32) -> Range<u32> {
        inside(self.top, height)..inside(self.top + i64::from(self.side) - 1, height) + 1
    }

    /// Appends the window, `[side, side, CHANNELS]` row by row, to `output`; `convert` is applied to each pixel.
    ///
    /// `bytes` is the picture, rows of `width` pixels. Only [`Window::rows`] of it is read.
    pub(super) fn cut<const CHANNELS: usize, T: Copy + Default>(
        &self,
        bytes: &[u8],
        width: u32,
        convert: impl Fn([u8; CHANNELS]) -> [T; CHANNELS],
        output: &mut Vec<T>,
    ) {
        let (pixels, _) = bytes.as_chunks::<CHANNELS>();
        let height = pixels.len() / width as usize;
        // Columns of the window: those left of the picture, those inside, those right of it.
        let until = |column: i64| (column - self.left).clamp(0, i64::from(self.side)) as usize;
        let (first, end) = (until(0), until(i64::from(width)));
        // One row at a time is converted in the nearest cache, so that `output` needs no zeros first.
        let mut row = vec![[T::default(); CHANNELS]; self.side as usize];
        for y in 0..i64::from(self.side) {
            let start = inside(self.top + y, height as u32) as usize * width as usize;
            let source = &pixels[start..start + width as usize];
            row[..first].fill(convert(source[0]));
            row[end..].fill(convert(source[source.len() - 1]));
            if first < end {
                let left = (self.left + first as i64) as usize;
                let seen = &source[left..left + end - first];
                row[first..end].iter_mut().zip(seen).for_each(|(to, &from)| *to = convert(from));
            }
            if self.mirrored {
                row.reverse();
            }
            output.extend_from_slice(row.as_flattened());
        }
    }
}

/// The row or column of a picture that stands for `at`: the nearest one.
fn inside(at: i64, length: u32) -> u32 {
    at.clamp(0, i64::from(length) - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, pixel by pixel.
    fn pixel_by_pixel(bytes: &[u8], width: u32, window: &Window) -> Vec<u8> {
        let height = bytes.len() as u32 / width;
        let side = i64::from(window.side);
        let mut output = Vec::new();
        for y in 0..side {
            for x in 0..side {
                let x = if window.mirrored { side - 1 - x } else { x };
                let (row, column) = (inside(window.top + y, height), inside(window.left + x, width));
                output.push(bytes[(row * width + column) as usize]);
            }
        }
        output
    }

    #[test]
    fn windows_inside_across_and_beyond_the_border() {
        let (width, height) = (5u32, 4u32);
        let bytes: Vec<u8> = (0..(width * height) as u8).collect();
        for side in [1, 3, 9] {
            for (top, left) in (-11..8).flat_map(|top| (-11..8).map(move |left| (top, left))) {
                for mirrored in [false, true] {
                    let window = Window { top, left, side, mirrored };
                    // What is not to be read must not matter.
                    let rows = window.rows(height);
                    let mut blanked = vec![255; bytes.len()];
                    let read = (rows.start * width) as usize..(rows.end * width) as usize;
                    blanked[read.clone()].copy_from_slice(&bytes[read]);
                    let mut cut = vec![77];
                    window.cut::<1, u8>(&blanked, width, |pixel| pixel, &mut cut);
                    assert_eq!(cut[1..], pixel_by_pixel(&bytes, width, &window), "{side} at {top}, {left}");
                    assert_eq!(cut[0], 77, "what was there before stays");
                }
            }
        }
    }
}
