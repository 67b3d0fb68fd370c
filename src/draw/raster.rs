//! From the SVG of a chart to pixels, with letters of a font that is compiled in: the same picture on every machine.

use std::sync::{Arc, OnceLock};

use ab_glyph::{Font, FontRef};
use image::{Rgb, RgbImage};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use super::SCALE;
use crate::error::{Error, Result, complain};

/// Ubuntu for words; Hack and Noto Emoji for the signs that it lacks.
fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let load = || {
        let mut fonts = Database::new();
        for font in [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
        ] {
            fonts.load_font_data(font.to_vec());
        }
        fonts.set_sans_serif_family("Ubuntu");
        Arc::new(fonts)
    };
    FONTS.get_or_init(load).clone()
}

/// The drawing at [`SCALE`] times its size, on white.
pub(crate) fn pixels(svg: &str) -> Result<RgbImage> {
    let failed = |found: String| -> Error { complain("a chart that can be drawn", found).into() };
    let mut options = Options { fontdb: fonts(), font_family: "sans-serif".into(), ..Options::default() };
    // resvg would set the whole text in the font that has the missing letter; `with_fallback` changes the letter alone.
    options.font_resolver.select_fallback = Box::new(|_, _, _| None);
    let tree = Tree::from_str(&with_fallback(svg), &options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size();
    let (width, height) = (size.width() * SCALE, size.height() * SCALE);
    let mut sheet =
        Pixmap::new(width, height).ok_or_else(|| failed(format!("one of {width}×{height} pixels")))?;
    sheet.fill(resvg::tiny_skia::Color::WHITE);
    let scale = SCALE as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut sheet.as_mut());
    let (quads, _) = sheet.data().as_chunks::<4>();
    Ok(RgbImage::from_fn(width, height, |x, y| {
        let [red, green, blue, _] = quads[(y * width + x) as usize];
        Rgb([red, green, blue])
    }))
}

/// Gives every letter that Ubuntu lacks a font of its own.
fn with_fallback(svg: &str) -> String {
    static UBUNTU: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    let ubuntu = UBUNTU.get_or_init(|| FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok());
    let lacks =
        |letter: char| !letter.is_ascii() && ubuntu.as_ref().is_some_and(|font| font.glyph_id(letter).0 == 0);
    let mut inside_a_tag = false;
    let mut text = String::with_capacity(svg.len());
    for letter in svg.chars() {
        match letter {
            '<' => inside_a_tag = true,
            '>' => inside_a_tag = false,
            _ if !inside_a_tag && lacks(letter) => {
                text.extend(["<tspan font-family=\"Hack\">", letter.encode_utf8(&mut [0; 4]), "</tspan>"]);
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_letter_that_is_missing_changes_its_font() {
        let text = "<text title=\"→\">Clipart → Real World, ±2 %</text>";
        assert_eq!(
            with_fallback(text),
            "<text title=\"→\">Clipart <tspan font-family=\"Hack\">→</tspan> Real World, ±2 %</text>"
        );
    }

    #[test]
    fn a_black_square_is_twice_as_large_on_white() {
        let svg =
            "<svg xmlns='http://www.w3.org/2000/svg' width='4' height='3'><rect width='2' height='2'/></svg>";
        let drawn = pixels(svg).unwrap();
        assert_eq!(drawn.dimensions(), (8, 6));
        let black = drawn.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
        let white = drawn.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
        assert_eq!((black, white), (16, 32));
        assert!(pixels("no svg").unwrap_err().to_string().contains("a chart that can be drawn"));
    }
}
