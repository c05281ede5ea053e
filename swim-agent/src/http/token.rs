//! The word that lets in whoever comes from another machine.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;
use swim_agent::keys::read_private;

/// A bearer token, read from a file that not everybody may read.
///
/// Parsed from the file's path, so that flags refuse a wrong one as they refuse any wrong value.
#[derive(Clone)]
pub(crate) struct Token(String);

/// Bytes of a token; a header takes more, but a token that long is a wrong file.
const MAX: usize = 1024;

impl Token {
    /// As it goes into the header `Authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether a request shows it. How long that takes tells its length, and nothing of its bytes.
    pub(super) fn is_shown(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        let (scheme, shown) = shown.split_at_checked(7).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"Bearer ") && shown.ct_eq(self.0.as_bytes()).into()
    }

    fn read(path: &Path) -> Result<Self, String> {
        let text = read_private(path, MAX).map_err(|error| error.to_string())?;
        if text.len() > MAX {
            return Err(format!("a token of more than {MAX} bytes"));
        }
        match text.trim_ascii_end() {
            [] => Err("the file is empty".to_owned()),
            token if token.iter().all(u8::is_ascii_graphic) => {
                Ok(Self(String::from_utf8_lossy(token).into_owned()))
            }
            _ => Err("a token is one line of visible ASCII characters without spaces".to_owned()),
        }
    }
}

impl FromStr for Token {
    type Err = String;

    fn from_str(path: &str) -> Result<Self, String> {
        Self::read(Path::new(path))
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

/// Not to be seen in any log.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};

    use super::Token;

    #[test]
    fn only_the_whole_word_lets_in() {
        let token = Token("secret".to_owned());
        let shown = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().unwrap());
            token.is_shown(&headers)
        };
        assert!(shown("Bearer secret") && shown("bearer secret") && shown(&token.bearer()));
        for wrong in ["", "secret", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret"] {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!token.is_shown(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token");
    }
}
