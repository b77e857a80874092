//! The PROXY protocol, versions 1 and 2: the load balancer in front says who the client is.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest line of version 1, with its end.
const LONGEST_LINE: usize = 107;
/// Addresses and extensions of version 2; more than this is no header.
const LONGEST_BLOCK: usize = 4096;

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the header; `None` when the load balancer speaks for itself.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<IpAddr>> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == *SIGNATURE { version_2(stream).await } else { version_1(stream, &start).await }
}

async fn version_1<S: AsyncRead + Unpin>(stream: &mut S, start: &[u8]) -> io::Result<Option<IpAddr>> {
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE || !line.starts_with(b"PROXY ") {
            return Err(invalid("expected a PROXY line of at most 107 bytes"));
        }
        line.push(stream.read_u8().await?);
    }
    let text =
        std::str::from_utf8(&line[..line.len() - 2]).map_err(|_| invalid("the PROXY line is not text"))?;
    let mut parts = text.split(' ').skip(1);
    match parts.next() {
        Some("UNKNOWN") => Ok(None),
        Some(family @ ("TCP4" | "TCP6")) => {
            let ip: IpAddr = parts
                .next()
                .and_then(|ip| ip.parse().ok())
                .ok_or_else(|| invalid("the client address is not valid"))?;
            if ip.is_ipv4() != (family == "TCP4") || parts.count() != 3 {
                return Err(invalid("expected two addresses of the family and two ports"));
            }
            Ok(Some(ip))
        }
        _ => Err(invalid("expected TCP4, TCP6 or UNKNOWN")),
    }
}

async fn version_2<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<IpAddr>> {
    let (command, family, length) =
        (stream.read_u8().await?, stream.read_u8().await?, stream.read_u16().await?);
    let length = usize::from(length);
    if length > LONGEST_BLOCK {
        return Err(invalid("the address block is too long"));
    }
    let mut block = vec![0; length];
    stream.read_exact(&mut block).await?;
    match (command, family) {
        (0x20, _) => Ok(None),
        (0x21, 0x11) => {
            let ip: [u8; 4] = block
                .get(..4)
                .and_then(|b| b.try_into().ok())
                .filter(|_| length >= 12)
                .ok_or_else(|| invalid("the IPv4 block is too short"))?;
            Ok(Some(Ipv4Addr::from(ip).into()))
        }
        (0x21, 0x21) => {
            let ip: [u8; 16] = block
                .get(..16)
                .and_then(|b| b.try_into().ok())
                .filter(|_| length >= 36)
                .ok_or_else(|| invalid("the IPv6 block is too short"))?;
            Ok(Some(IpAddr::from(Ipv6Addr::from(ip)).to_canonical()))
        }
        (0x21, _) => Ok(None),
        _ => Err(invalid("the version or command is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(mut bytes: &[u8]) -> Result<Option<String>, ()> {
        let parsed = read(&mut bytes).await;
        parsed.map(|ip| ip.map(|ip| ip.to_string())).map_err(|_| ())
    }

    #[tokio::test]
    async fn both_versions_name_the_client() {
        let v2 = |rest: &[u8]| [SIGNATURE.as_slice(), rest].concat();
        let v4 = v2(&[0x21, 0x11, 0, 12, 10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0, 90]);
        assert_eq!(parse(&v4).await, Ok(Some("10.0.0.1".into())));
        assert_eq!(parse(&v2(&[0x20, 0, 0, 0])).await, Ok(None));
        assert_eq!(parse(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n").await, Ok(Some("1.2.3.4".into())));
        assert_eq!(parse(b"PROXY TCP6 ::1 ::2 1 2\r\n").await, Ok(Some("::1".into())));
        assert_eq!(parse(b"PROXY UNKNOWN\r\n").await, Ok(None));
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".as_slice(),
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1 2\r\n",
            b"PROXY SCTP 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4",
            &[SIGNATURE.as_slice(), &[0x31, 0x11, 0, 0]].concat(),
            &[SIGNATURE.as_slice(), &[0x21, 0x11, 0, 2, 1, 1]].concat(),
        ] {
            assert_eq!(parse(bytes).await, Err(()), "{bytes:?}");
        }
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(200));
        assert_eq!(parse(long.as_bytes()).await, Err(()));
    }
}
