//! A byte trie of pieces: which of them are prefixes of a text?

/// A set of pieces with their ids.
#[derive(Debug, Clone)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// The piece that ends here.
    id: Option<u32>,
    /// Next byte and node, by byte.
    next: Vec<(u8, usize)>,
}

impl Trie {
    /// An empty trie.
    pub fn new() -> Self {
        Trie {
            nodes: vec![Node::default()],
        }
    }

    /// Adds `piece`; returns its earlier id, if it had one.
    pub fn insert(&mut self, piece: &str, id: u32) -> Option<u32> {
        let mut node = 0;
        for &byte in piece.as_bytes() {
            let place = self.nodes[node]
                .next
                .binary_search_by_key(&byte, |(b, _)| *b);
            node = match place {
                Ok(place) => self.nodes[node].next[place].1,
                Err(place) => {
                    let new = self.nodes.len();
                    self.nodes[node].next.insert(place, (byte, new));
                    self.nodes.push(Node::default());
                    new
                }
            };
        }
        self.nodes[node].id.replace(id)
    }

    /// The pieces that are prefixes of `text`, shortest first: length in bytes and id.
    pub fn prefixes(&self, text: &str) -> impl Iterator<Item = (usize, u32)> {
        let mut node = &self.nodes[0];
        text.bytes()
            .map_while(move |byte| {
                let place = node.next.binary_search_by_key(&byte, |(b, _)| *b).ok()?;
                node = &self.nodes[node.next[place].1];
                Some(node.id)
            })
            .enumerate()
            .filter_map(|(at, id)| Some((at + 1, id?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_shortest_first() {
        let mut trie = Trie::new();
        for (id, piece) in ["b", "ab", "a", "abc", "é"].into_iter().enumerate() {
            assert_eq!(trie.insert(piece, id as u32), None);
        }
        let of = |text| trie.prefixes(text).collect::<Vec<_>>();
        assert_eq!(of("abcd"), [(1, 2), (2, 1), (3, 3)]);
        assert_eq!(of("éa"), [(2, 4)]);
        assert_eq!(of("c"), []);
        assert_eq!(of(""), []);
        assert_eq!(trie.insert("ab", 9), Some(1));
    }
}
