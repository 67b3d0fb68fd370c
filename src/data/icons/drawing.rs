//! From an icon in a set to a picture of 96 × 96 pixels, and which pictures are nearly the same.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{Rgba, RgbaImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree};
use serde::{Deserialize, Serialize};

/// Width and height of a picture, in pixels.
pub const SIDE: u32 = 96;
/// Space around an icon, as a part of its longer side.
const MARGIN: f64 = 0.05;

/// The icons of a set, in Iconify's form.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Drawings {
    /// The place of every icon that does not say its own.
    #[serde(flatten)]
    place: Place,
    /// By name.
    pub(super) icons: BTreeMap<String, Drawing>,
}

/// One icon.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Drawing {
    /// What stands inside `<svg>`.
    body: String,
    /// Withdrawn by its makers.
    #[serde(default)]
    pub(super) hidden: bool,
    #[serde(flatten)]
    place: Place,
}

/// Where the drawing lies, in its own units.
#[derive(Debug, Default, Clone, Copy, Serialize, Deserialize)]
struct Place {
    left: Option<f64>,
    top: Option<f64>,
    width: Option<f64>,
    height: Option<f64>,
}

impl Drawings {
    /// The icon as SVG, [`SIDE`] wide and high, centred; what has no colour of its own is in `colour`.
    fn svg(&self, icon: &Drawing, colour: &str) -> String {
        let left = icon.place.left.or(self.place.left).unwrap_or(0.0);
        let top = icon.place.top.or(self.place.top).unwrap_or(0.0);
        let width = icon.place.width.or(self.place.width).unwrap_or(16.0);
        let height = icon.place.height.or(self.place.height).unwrap_or(16.0);
        let longer = width.max(height);
        let side = longer * (1.0 + 2.0 * MARGIN);
        let (x, y) = (left + (width - side) / 2.0, top + (height - side) / 2.0);
        let body = icon.body.replace("currentColor", colour);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" color=\"{colour}\" \
             width=\"{SIDE}\" height=\"{SIDE}\" viewBox=\"{x} {y} {side} {side}\">{body}</svg>"
        )
    }

    /// The icon called `name` on white, with what it covers as alpha; `None` if it cannot be drawn.
    pub(super) fn draw(&self, name: &str, colour: &str) -> Option<RgbaImage> {
        let svg = self.svg(self.icons.get(name)?, colour);
        // One odd icon among thousands must not take the others with it.
        catch_unwind(AssertUnwindSafe(|| pixels(&svg))).ok().flatten()
    }
}

/// The drawing on white, with what it covers as alpha.
///
/// Whoever drops the alpha sees the icon on white; the alpha is the mask of the object.
fn pixels(svg: &str) -> Option<RgbaImage> {
    // A drawing from elsewhere reads no file of this machine.
    let no_files =
        ImageHrefResolver { resolve_string: Box::new(|_, _| None), ..ImageHrefResolver::default() };
    let options = Options { image_href_resolver: no_files, ..Options::default() };
    let tree = Tree::from_str(svg, &options).ok()?;
    let mut sheet = Pixmap::new(SIDE, SIDE)?;
    resvg::render(&tree, Transform::identity(), &mut sheet.as_mut());
    let (quads, _) = sheet.data().as_chunks::<4>();
    Some(RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        // The colours are multiplied by alpha already.
        let [red, green, blue, alpha] = quads[(y * SIDE + x) as usize];
        let on_white = |colour: u8| colour.saturating_add(255 - alpha);
        Rgba([on_white(red), on_white(green), on_white(blue), alpha])
    }))
}

/// Width and height of the small grey picture that near-duplicates are found by.
const SMALL: u32 = 24;
/// Two icons whose small pictures differ by less on average, of 1 for black against white, are one.
const LEAST_DIFFERENCE: f32 = 0.012;
/// A small picture that varies less, as a standard deviation, is empty.
const LEAST_VARIATION: f32 = 0.02;

/// A small grey picture, 0 to 1.
pub(super) struct Thumb(Vec<f32>);

impl Thumb {
    /// `picture` in grey (the luma of ITU-R 601) at 24 × 24.
    pub(super) fn of(picture: &RgbaImage) -> Self {
        let block = SIDE / SMALL;
        let grey = |x, y| {
            let [red, green, blue, _] = picture.get_pixel(x, y).0.map(u32::from);
            (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16
        };
        let mean = |place: u32| {
            let (left, top) = (place % SMALL * block, place / SMALL * block);
            let inside = (0..block * block).map(|at| grey(left + at % block, top + at / block));
            let sum: u32 = inside.sum();
            ((sum + block * block / 2) / (block * block)) as f32 / 255.0
        };
        Self((0..SMALL * SMALL).map(mean).collect())
    }

    /// Whether there is nothing to see.
    pub(super) fn is_empty(&self) -> bool {
        let count = self.0.len() as f32;
        let mean = self.0.iter().sum::<f32>() / count;
        let variance = self.0.iter().map(|grey| (grey - mean).powi(2)).sum::<f32>() / count;
        variance.sqrt() < LEAST_VARIATION
    }

    /// Whether the two are nearly the same picture.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let difference: f32 = self.0.iter().zip(&other.0).map(|(a, b)| (a - b).abs()).sum();
        difference / (self.0.len() as f32) < LEAST_DIFFERENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(body: &str) -> Option<RgbaImage> {
        let text =
            serde_json::json!({"prefix": "x", "height": 10, "icons": {"a": {"body": body, "width": 20}}});
        let set: Drawings = serde_json::from_str(&text.to_string()).unwrap();
        set.draw("a", "#112233")
    }

    #[test]
    fn an_icon_is_centred_with_a_margin_on_white() {
        let picture = drawn("<path fill='currentColor' d='M0 0h20v10H0z'/>").unwrap();
        assert_eq!(picture.dimensions(), (96, 96));
        assert_eq!(picture.get_pixel(48, 48).0, [0x11, 0x22, 0x33, 255]);
        assert_eq!(picture.get_pixel(48, 20).0, [255, 255, 255, 0], "above the wide icon");
        assert_eq!(picture.get_pixel(1, 48).0, [255, 255, 255, 0], "the margin");
        assert_eq!(picture.get_pixel(48, 30).0[3], 255);
    }

    #[test]
    fn a_tint_lies_on_white() {
        let picture = drawn("<path fill='#000' opacity='.2' d='M0 0h20v10H0z'/>").unwrap();
        assert_eq!(picture.get_pixel(48, 48).0, [204, 204, 204, 51]);
    }

    #[test]
    fn what_is_no_drawing_gives_none() {
        assert!(drawn("<path").is_none());
        let nothing = drawn("<image href='/etc/hosts.svg' width='9' height='9'/>").unwrap();
        assert!(Thumb::of(&nothing).is_empty());
    }

    #[test]
    fn near_duplicates_are_alike() {
        let thumb = |body| Thumb::of(&drawn(body).unwrap());
        let bar = thumb("<path d='M0 0h20v10H0z'/>");
        assert!(!bar.is_empty());
        assert!(bar.is_like(&thumb("<path d='M0 0h19.9v10H0z'/>")));
        assert!(!bar.is_like(&thumb("<path d='M0 0h10v10H0z'/>")));
    }
}
