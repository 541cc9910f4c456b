//! Relay connections.

use async_graphql::SimpleObject;

/// Where a page stands.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether more follow.
    pub has_next_page: bool,
    /// Whether some came before: true when `after` was given.
    pub has_previous_page: bool,
    /// Cursor of the first edge; null when the page is empty.
    pub start_cursor: Option<String>,
    /// Cursor of the last edge, for `after`; null when the page is empty.
    pub end_cursor: Option<String>,
}

/// Declares a connection and its edge over a node type that has an `id`.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $what:literal) => {
        #[doc = concat!("A page of ", $what, ".")]
        #[derive(Debug, async_graphql::SimpleObject)]
        pub struct $connection {
            /// The page.
            pub edges: Vec<$edge>,
            /// The objects of the page, without their cursors.
            pub nodes: Vec<$node>,
            /// Where the page stands.
            pub page_info: $crate::graphql::connection::PageInfo,
            /// How many there are in all; counted only when selected.
            pub total_count: Option<i64>,
        }

        #[doc = concat!("One of the ", $what, ", with its cursor.")]
        #[derive(Debug, async_graphql::SimpleObject)]
        pub struct $edge {
            /// Opaque; give it as `after` to go on from here.
            pub cursor: String,
            /// The object.
            pub node: $node,
        }

        impl $connection {
            /// A connection over a page; `cursor` names each node's cursor.
            #[must_use]
            pub fn new(
                page: $crate::pagination::Page<$node>,
                continued: bool,
                total_count: Option<i64>,
                cursor: impl Fn(&$node) -> String,
            ) -> Self {
                let edges: Vec<$edge> =
                    page.rows.iter().map(|node| $edge { cursor: cursor(node), node: node.clone() }).collect();
                let page_info = $crate::graphql::connection::PageInfo {
                    has_next_page: page.has_next,
                    has_previous_page: continued,
                    start_cursor: edges.first().map(|edge| edge.cursor.clone()),
                    end_cursor: edges.last().map(|edge| edge.cursor.clone()),
                };
                Self { edges, nodes: page.rows, page_info, total_count }
            }
        }
    };
}
pub(crate) use connection;
