//! The two artists: Twemoji's colour pictures and the line drawings of the Noto Emoji font.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, PxScale};
use twemoji_assets::png::PngTwemojiAsset;

use super::classes::{CLASSES, DISTRACTORS};
use super::raster::{Canvas, Plane};

/// Side of a Twemoji picture, and of a line drawing made to match.
const GLYPH: usize = 72;
/// Length of the longer side of a line drawing.
const INK_EXTENT: f32 = 70.0;

/// A line drawing: where the ink is, and what its outline encloses (ink included).
pub(super) struct InkDrawing {
    pub ink: Plane,
    pub silhouette: Plane,
}

/// Everything that can be drawn in the four domains, decoded once.
pub(super) struct Artwork {
    /// By class, then by variant.
    pub emoji: Vec<Vec<Canvas>>,
    /// By class, then by variant.
    pub ink: Vec<Vec<InkDrawing>>,
    /// Objects of no class.
    pub distractors: Vec<Canvas>,
}

/// The artwork of the twelve classes.
pub(super) static ARTWORK: LazyLock<Artwork> = LazyLock::new(|| Artwork {
    emoji: CLASSES.iter().map(|class| class.emoji.iter().map(emoji).collect()).collect(),
    ink: CLASSES.iter().map(|class| class.ink.iter().map(|code| ink_drawing(*code)).collect()).collect(),
    distractors: DISTRACTORS.iter().map(emoji).collect(),
});

/// Decodes one of Twemoji's pictures, 72 x 72.
pub(super) fn emoji(asset: &PngTwemojiAsset) -> Canvas {
    let picture = image::load_from_memory_with_format(asset.data.0, image::ImageFormat::Png)
        .expect("the pictures compiled into the program are valid")
        .into_rgba8();
    Canvas::from_fn(GLYPH, |x, y| {
        let pixel = picture.get_pixel(x as u32, y as u32).0;
        let [red, green, blue, alpha] = pixel.map(|byte| f32::from(byte) / 255.0);
        [red * alpha, green * alpha, blue * alpha, alpha]
    })
}

/// Draws one character of the Noto Emoji font, as large as fits and centred.
fn ink_drawing(code: char) -> InkDrawing {
    let font = FontRef::try_from_slice(epaint_default_fonts::NOTO_EMOJI_REGULAR)
        .expect("the font compiled into the program is valid");
    let outline = |scale: f32| {
        let glyph = font.glyph_id(code).with_scale(PxScale::from(scale));
        font.outline_glyph(glyph).expect("every class has its line drawing in the font")
    };
    let bounds = outline(1000.0).px_bounds();
    let outline = outline(1000.0 * INK_EXTENT / bounds.width().max(bounds.height()));
    let bounds = outline.px_bounds();
    let left = ((GLYPH as f32 - bounds.width()) / 2.0) as usize;
    let top = ((GLYPH as f32 - bounds.height()) / 2.0) as usize;
    let mut ink = Plane::filled(GLYPH, [0.0]);
    outline.draw(|x, y, cover| {
        let (x, y) = (left + x as usize, top + y as usize);
        if x < GLYPH && y < GLYPH {
            ink.pixels[y * GLYPH + x] = [cover.clamp(0.0, 1.0)];
        }
    });
    let silhouette = filled_outline(&ink);
    InkDrawing { ink, silhouette }
}

/// Full opacity wherever ink keeps one from walking in from the border.
fn filled_outline(ink: &Plane) -> Plane {
    let side = ink.side;
    let mut filled = Plane::filled(side, [1.0]);
    let border = (0..side).flat_map(|i| [(i, 0), (i, side - 1), (0, i), (side - 1, i)]);
    let mut to_visit: Vec<(usize, usize)> = border.collect();
    while let Some((x, y)) = to_visit.pop() {
        let place = y * side + x;
        if filled.pixels[place][0] < 1.0 || ink.pixels[place][0] >= 0.999 {
            continue;
        }
        // A partly covered pixel keeps its soft edge; only a mostly free one lets the flood pass.
        filled.pixels[place] = [ink.pixels[place][0].min(0.998)];
        if ink.pixels[place][0] < 0.5 {
            to_visit.extend([
                (x.saturating_sub(1), y),
                ((x + 1).min(side - 1), y),
                (x, y.saturating_sub(1)),
                (x, (y + 1).min(side - 1)),
            ]);
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_both_artists_and_a_sensible_area() {
        assert_eq!(ARTWORK.distractors.len(), 30);
        for (class, (emoji, ink)) in CLASSES.iter().zip(ARTWORK.emoji.iter().zip(&ARTWORK.ink)) {
            assert_eq!(emoji.len(), class.emoji.len());
            assert_eq!(ink.len(), class.ink.len());
            let share = |plane: &Plane| plane.sum() / (GLYPH * GLYPH) as f32;
            for drawing in ink {
                let lines = share(&drawing.ink);
                assert!(lines > 0.08 && lines <= share(&drawing.silhouette), "{} {lines}", class.name);
            }
            let drawn = ink.iter().map(|drawing| share(&drawing.silhouette));
            for area in emoji.iter().map(|picture| share(&picture.alpha())).chain(drawn) {
                assert!((0.15..0.95).contains(&area), "{} {area}", class.name);
            }
        }
    }

    #[test]
    fn the_flood_fills_a_ring_and_not_a_horseshoe() {
        let ring = |gap: bool| {
            let ink = Plane::of(9, |x, y| {
                let rim = [x, y].iter().any(|i| *i == 2 || *i == 6);
                let inside = (2..7).contains(&x) && (2..7).contains(&y);
                rim && inside && !(gap && x == 2 && y == 4)
            });
            filled_outline(&ink).sum()
        };
        assert_eq!(ring(false), 25.0);
        assert_eq!(ring(true), 15.0);
    }
}
