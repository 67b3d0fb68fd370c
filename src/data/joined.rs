//! Several domains as one, as training from several sources sees them.

use std::sync::Arc;

use image::{GrayImage, RgbImage};

use crate::data::dataset::{Domain, Pictures};
use crate::error::Result;

/// The domains one after the other, as one whose name is theirs joined by `+`; a single one stays itself.
///
/// ```
/// use toalign::data::joined::join;
/// use toalign::mini_home::{Options, Split, domain};
/// let [art, product] = ["Ar", "Pr"].map(|name| domain(name, Split::Train, &Options::default()).unwrap());
/// let both = join(vec![art, product]);
/// assert_eq!((both.name.as_str(), both.pictures.len()), ("Art+Product", 960));
/// assert_eq!(both.pictures.parts(), [480, 480]);
/// ```
pub fn join(mut domains: Vec<Domain>) -> Domain {
    match domains.len() {
        1 => domains.remove(0),
        _ => Domain {
            name: domains.iter().map(|domain| domain.name.as_str()).collect::<Vec<_>>().join("+"),
            pictures: Arc::new(Joined { domains }),
        },
    }
}

struct Joined {
    domains: Vec<Domain>,
}

impl Joined {
    /// The domain of picture `index`, and its index there.
    fn find(&self, mut index: usize) -> (&dyn Pictures, usize) {
        for domain in &self.domains {
            if index < domain.pictures.len() {
                return (&*domain.pictures, index);
            }
            index -= domain.pictures.len();
        }
        unreachable!("an index is below the number of pictures")
    }
}

impl Pictures for Joined {
    fn len(&self) -> usize {
        self.parts().iter().sum()
    }

    fn parts(&self) -> Vec<usize> {
        self.domains.iter().map(|domain| domain.pictures.len()).collect()
    }

    fn name(&self, index: usize) -> String {
        let (pictures, index) = self.find(index);
        pictures.name(index)
    }

    fn label(&self, index: usize) -> u32 {
        let (pictures, index) = self.find(index);
        pictures.label(index)
    }

    fn decode(&self, index: usize) -> Result<RgbImage> {
        let (pictures, index) = self.find(index);
        pictures.decode(index)
    }

    fn mask(&self, index: usize) -> Result<Option<GrayImage>> {
        let (pictures, index) = self.find(index);
        pictures.mask(index)
    }
}
