//! Where the client may be pointed at (contract §1.1, reliability §5.2).

use issuance_uqpay::{BaseUrl, InvalidBaseUrl};

#[test]
fn public_https_is_taken_with_or_without_a_slash() {
    for (text, shown) in [
        (
            "https://api-sandbox.uqpaytech.com/api",
            "https://api-sandbox.uqpaytech.com/api",
        ),
        (
            "https://api-sandbox.uqpaytech.com/api/",
            "https://api-sandbox.uqpaytech.com/api",
        ),
        ("https://api.uqpay.com/api//", "https://api.uqpay.com/api"),
        (" https://api.uqpay.com ", "https://api.uqpay.com/"),
        (
            "https://api.uqpay.com:8443/a/b",
            "https://api.uqpay.com:8443/a/b",
        ),
        ("https://18.143.59.64/api", "https://18.143.59.64/api"),
        (
            "https://[2606:4700::1111]/api",
            "https://[2606:4700::1111]/api",
        ),
    ] {
        assert_eq!(BaseUrl::parse(text, false).unwrap().to_string(), shown);
    }
}

#[test]
fn loopback_needs_leave() {
    for text in [
        "http://127.0.0.1:8080/api",
        "http://localhost:1/api",
        "http://localhost.:1/api",
        "http://[::1]:9/api",
        "https://127.9.9.9/api",
    ] {
        assert!(BaseUrl::parse(text, true).is_ok(), "{text}");
        assert_eq!(
            BaseUrl::parse(text, false),
            Err(InvalidBaseUrl::SpecialAddress),
            "{text}"
        );
    }
}

#[test]
fn nasty_urls_are_refused_with_and_without_leave() {
    use InvalidBaseUrl::*;
    for (text, why) in [
        ("", NotAUrl),
        ("api.uqpay.com/api", NotAUrl),
        ("//api.uqpay.com", NotAUrl),
        ("https://", NotAUrl),
        ("file:///etc/passwd", NotAUrl),
        ("ftp://api.uqpay.com", NotAUrl),
        ("gopher://api.uqpay.com", NotAUrl),
        ("javascript:alert(1)", NotAUrl),
        ("data:text/plain,x", NotAUrl),
        ("unix:/tmp/s", NotAUrl),
        ("https://exa mple.com", NotAUrl),
        ("https://api.uqpay.com:99999", NotAUrl),
        ("https://[::1", NotAUrl),
        ("https://256.1.1.1", NotAUrl),
        ("http://localhost%2e%2e/:1/", NotAUrl),
        ("http://localhost../", NotAUrl),
        ("https://.api.uqpay.com", NotAUrl),
        ("https://api..uqpay.com", NotAUrl),
        ("https://.", NotAUrl),
        ("http://api.uqpay.com/api", NotHttps),
        ("http://18.143.59.64/api", NotHttps),
        ("http://localhost.evil.example", NotHttps),
        ("http://127.0.0.1.evil.example", NotHttps),
        ("http://notlocalhost", NotHttps),
        ("https://user@api.uqpay.com", UserInfo),
        ("https://user:pass@api.uqpay.com", UserInfo),
        ("https://:pass@api.uqpay.com", UserInfo),
        ("https://api.uqpay.com@evil.example", UserInfo),
        ("http://127.0.0.1:80@evil.example", UserInfo),
        ("https://api.uqpay.com/api?x=1", QueryOrFragment),
        ("https://api.uqpay.com/api?", QueryOrFragment),
        ("https://api.uqpay.com/api#x", QueryOrFragment),
        ("https://169.254.169.254/latest/meta-data", SpecialAddress),
        ("http://169.254.169.254/latest/meta-data", SpecialAddress),
        ("https://2852039166/", SpecialAddress),
        ("https://0xa9fea9fe/", SpecialAddress),
        ("https://0251.0376.0251.0376/", SpecialAddress),
        ("https://10.0.0.1", SpecialAddress),
        ("https://172.16.0.1", SpecialAddress),
        ("https://172.31.255.255", SpecialAddress),
        ("https://192.168.1.1", SpecialAddress),
        ("https://100.64.0.1", SpecialAddress),
        ("https://100.100.100.200", SpecialAddress),
        ("https://0.0.0.0", SpecialAddress),
        ("https://0", SpecialAddress),
        ("https://192.0.0.192", SpecialAddress),
        ("https://198.18.0.1", SpecialAddress),
        ("https://224.0.0.1", SpecialAddress),
        ("https://255.255.255.255", SpecialAddress),
        ("https://240.0.0.1", SpecialAddress),
        ("https://203.0.113.7", SpecialAddress),
        ("https://[::]", SpecialAddress),
        ("https://[::ffff:10.0.0.1]", SpecialAddress),
        ("https://[::ffff:127.0.0.1]", SpecialAddress),
        ("https://[::127.0.0.1]", SpecialAddress),
        ("https://[fe80::1]", SpecialAddress),
        ("https://[fc00::1]", SpecialAddress),
        ("https://[fd00:ec2::254]", SpecialAddress),
        ("https://[ff02::1]", SpecialAddress),
        ("https://[64:ff9b::a9fe:a9fe]", SpecialAddress),
        ("https://[2002:a9fe:a9fe::1]", SpecialAddress),
        ("https://[2001:db8::1]", SpecialAddress),
        ("https://[2001:0:1::1]", SpecialAddress),
    ] {
        for leave in [false, true] {
            assert_eq!(BaseUrl::parse(text, leave), Err(why), "{text}");
        }
    }
}
