//! A misleading hint, if wanted: the hue of the background that gives the class away, differently in each domain.

use rand::Rng;
use rand::seq::SliceRandom;

use super::classes::CLASSES;
use super::style::Style;
use crate::random::{Generator, generator};

/// The background hue (in turns) that goes with a class, or `None` where the background is free.
///
/// With probability `rho` the hue lies in the twelfth of the colour circle that the domain gives to that class.
/// The order of the classes round the circle is fixed for each domain, whatever the seed, so that the hint
/// learned from the training pictures holds for the test pictures and fails in another domain.
pub(super) fn tied_hue(style: Style, class: usize, rho: f64, random: &mut Generator) -> Option<f32> {
    let is_tied = random.random::<f64>() < rho;
    let jitter = random.random_range(-0.3..0.3_f32);
    is_tied.then(|| (order(style)[class] as f32 + jitter) / CLASSES.len() as f32)
}

/// For each class, its twelfth of the colour circle in that domain.
fn order(style: Style) -> Vec<usize> {
    let mut places: Vec<usize> = (0..CLASSES.len()).collect();
    places.shuffle(&mut generator(0, "mini home: hues of the classes", style as u64, 0));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_is_one_to_one_in_a_domain_and_another_in_each() {
        let orders = Style::ALL.map(order);
        for (i, places) in orders.iter().enumerate() {
            let mut sorted = places.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..12).collect::<Vec<_>>());
            for other in &orders[..i] {
                let same = places.iter().zip(other).filter(|(a, b)| a == b).count();
                assert!(same <= 4, "{places:?} {other:?}");
            }
        }
    }

    #[test]
    fn rho_is_the_share_of_tied_backgrounds() {
        let random = &mut generator(1, "test", 0, 0);
        let tied = (0..1000).filter(|_| tied_hue(Style::Art, 3, 0.8, random).is_some()).count();
        assert!((760..840).contains(&tied), "{tied}");
        assert_eq!(tied_hue(Style::Art, 3, 0.0, random), None);
    }
}
