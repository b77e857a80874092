//! Routing: from host and path to an API, from method and path to an operation.
//!
//! Cost does not depend on how many APIs or operations there are: every segment is one hash look-up.

mod api_index;
mod children;
mod encoding;
mod parameter;
mod path;
mod template;
mod trie;
mod url_aliases;

pub use api_index::{ApiIndex, ApiPlace, IndexError, Versionless, compare_versions};
pub use encoding::{decode_query, decode_text, encode_host, encode_path, encode_query, encode_segment};
pub use parameter::{parameter, with_parameter};
pub use path::{PathError, decode, raw_length};
pub use template::{Fit, Template, TemplateError};
pub use trie::{OperationMatch, OperationTrie};
pub use url_aliases::{UrlAlias, UrlAliases};

use children::Children;
