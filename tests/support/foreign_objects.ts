/**
 * Objects of Python's standard library, of NumPy and of classes of a script's own, as `pickle` of CPython
 * writes them in protocols 2 and 4, without the first bytes and the last: what checkpoints carry beside
 * their weights.
 *
 * @module
 */

/** Base64 by what they are. */
export const FOREIGN_OBJECTS: Readonly<Record<string, string>> = {
  "argparse.Namespace, protocol 2":
    "Y2FyZ3BhcnNlCk5hbWVzcGFjZQpxACmBcQF9cQIoWAIAAABscnEDRz9QYk3S8an8WAQAAABwYXRocQRjcGF0aGxpYgpQdXJlUG9zaXhQYXRoCnEFWAEAAABhcQZYAQAAAGJxB4ZxCFJxCXVi",
  "argparse.Namespace, protocol 4":
    "jAhhcmdwYXJzZZSMCU5hbWVzcGFjZZSTlCmBlH2UKIwCbHKURz9QYk3S8an8jARwYXRolIwHcGF0aGxpYpSMDVB1cmVQb3NpeFBhdGiUk5SMAWGUjAFilIaUUpR1Yg==",
  "pathlib.PosixPath, protocol 2":
    "Y3BhdGhsaWIKUG9zaXhQYXRoCnEAWAEAAAAvcQFYAQAAAGFxAlgBAAAAYnEDh3EEUnEF",
  "pathlib.PosixPath, protocol 4": "jAdwYXRobGlilIwJUG9zaXhQYXRolJOUjAEvlIwBYZSMAWKUh5RSlA==",
  "datetime.datetime, protocol 2":
    "Y2RhdGV0aW1lCmRhdGV0aW1lCnEAY19jb2RlY3MKZW5jb2RlCnEBWAsAAAAHw6gBAgMEBQAAAHECWAYAAABsYXRpbjFxA4ZxBFJxBYVxBlJxBw==",
  "datetime.datetime, protocol 4": "jAhkYXRldGltZZSMCGRhdGV0aW1llJOUQwoH6AECAwQFAAAAlIWUUpQ=",
  "datetime.timedelta, protocol 2": "Y2RhdGV0aW1lCnRpbWVkZWx0YQpxAEsBSwJLAIdxAVJxAg==",
  "datetime.timedelta, protocol 4": "jAhkYXRldGltZZSMCXRpbWVkZWx0YZSTlEsBSwJLAIeUUpQ=",
  "enum member, protocol 2": "Y19fbWFpbl9fCkNvbG9yCnEASwGFcQFScQI=",
  "enum member, protocol 4": "jAhfX21haW5fX5SMBUNvbG9ylJOUSwGFlFKU",
  "int flag, protocol 2": "Y19fbWFpbl9fCkZsYWcKcQBLA4VxAVJxAg==",
  "int flag, protocol 4": "jAhfX21haW5fX5SMBEZsYWeUk5RLA4WUUpQ=",
  "nested enum member, protocol 2":
    "Y19fYnVpbHRpbl9fCmdldGF0dHIKcQBjX19tYWluX18KT3V0ZXIKcQFYBAAAAE1vZGVxAoZxA1JxBFgCAAAAb25xBYVxBlJxBw==",
  "nested enum member, protocol 4": "jAhfX21haW5fX5SMCk91dGVyLk1vZGWUk5SMAm9ulIWUUpQ=",
  "custom class, protocol 2":
    "Y19fbWFpbl9fCkNvbmZpZwpxACmBcQF9cQIoWAIAAABscnEDRz9QYk3S8an8WAQAAABuYW1lcQRYAQAAAHhxBXVi",
  "custom class, protocol 4":
    "jAhfX21haW5fX5SMBkNvbmZpZ5STlCmBlH2UKIwCbHKURz9QYk3S8an8jARuYW1llIwBeJR1Yg==",
  "slots, protocol 2": "Y19fbWFpbl9fClNsb3RzCnEAKYFxAU59cQJYAQAAAGFxA0sBc4ZxBGI=",
  "slots, protocol 4": "jAhfX21haW5fX5SMBVNsb3RzlJOUKYGUTn2UjAFhlEsBc4aUYg==",
  "dict subclass, protocol 2":
    "Y19fbWFpbl9fCkVhc3lEaWN0CnEAKYFxAShYAQAAAGFxAksBWAEAAABicQNYAQAAAGNxBHV9cQUoaAJLAWgDaAR1Yg==",
  "dict subclass, protocol 4":
    "jAhfX21haW5fX5SMCEVhc3lEaWN0lJOUKYGUKIwBYZRLAYwBYpSMAWOUdX2UKGgESwFoBWgGdWI=",
  "list subclass, protocol 2": "Y19fbWFpbl9fCk15TGlzdApxACmBcQEoSwFLAmU=",
  "list subclass, protocol 4": "jAhfX21haW5fX5SMBk15TGlzdJSTlCmBlChLAUsCZQ==",
  "named tuple, protocol 2": "Y19fbWFpbl9fClBvaW50CnEASwFLAoZxAYFxAg==",
  "named tuple, protocol 4": "jAhfX21haW5fX5SMBVBvaW50lJOUSwFLAoaUgZQ=",
  "keyword-only, protocol 2":
    "Y2Z1bmN0b29scwpwYXJ0aWFsCnEAY19fYnVpbHRpbl9fCmdldGF0dHIKcQFjX19tYWluX18KQmFzZQpxAlgHAAAAX19uZXdfX3EDhnEEUnEFhXEGUnEHKGgFaAKFcQh9cQlYAQAAAGtxCksDc050cQtiKVJxDH1xDWgKSwNzYg==",
  "keyword-only, protocol 4": "jAhfX21haW5fX5SMBEJhc2WUk5QpfZSMAWuUSwNzkpR9lGgESwNzYg==",
  "cycle, protocol 2":
    "Y19fbWFpbl9fCkNvbmZpZwpxACmBcQF9cQIoWAIAAABscnEDRz9QYk3S8an8WAQAAABuYW1lcQRYAQAAAHhxBVgGAAAAcGFyZW50cQZoAXVi",
  "cycle, protocol 4":
    "jAhfX21haW5fX5SMBkNvbmZpZ5STlCmBlH2UKIwCbHKURz9QYk3S8an8jARuYW1llIwBeJSMBnBhcmVudJRoA3Vi",
  "recursive tuple, protocol 2": "XXEAaACFcQFhMGgB",
  "recursive tuple, protocol 4": "XZRoAIWUYTBoAQ==",
  "data class, protocol 2": "Y19fbWFpbl9fCkRhdGEKcQApgXEBfXECWAIAAABscnEDR0AAAAAAAAAAc2I=",
  "data class, protocol 4": "jAhfX21haW5fX5SMBERhdGGUk5QpgZR9lIwCbHKUR0AAAAAAAAAAc2I=",
  "set, protocol 2": "Y19fYnVpbHRpbl9fCnNldApxAF1xAShLAUsCZYVxAlJxAw==",
  "set, protocol 4": "j5QoSwFLApA=",
  "frozenset, protocol 2": "Y19fYnVpbHRpbl9fCmZyb3plbnNldApxAF1xAUsBYYVxAlJxAw==",
  "frozenset, protocol 4": "KEsBkZQ=",
  "complex, protocol 2": "Y19fYnVpbHRpbl9fCmNvbXBsZXgKcQBHP/AAAAAAAABHQAAAAAAAAACGcQFScQI=",
  "complex, protocol 4": "jAhidWlsdGluc5SMB2NvbXBsZXiUk5RHP/AAAAAAAABHQAAAAAAAAACGlFKU",
  "bytes, protocol 2": "Y19jb2RlY3MKZW5jb2RlCnEAWAMAAAAAw79xAVgGAAAAbGF0aW4xcQKGcQNScQQ=",
  "bytes, protocol 4": "QwIA/5Q=",
  "bytearray, protocol 2":
    "Y19fYnVpbHRpbl9fCmJ5dGVhcnJheQpxAGNfY29kZWNzCmVuY29kZQpxAVgCAAAAYWJxAlgGAAAAbGF0aW4xcQOGcQRScQWFcQZScQc=",
  "bytearray, protocol 4": "jAhidWlsdGluc5SMCWJ5dGVhcnJheZSTlEMCYWKUhZRSlA==",
  "decimal, protocol 2": "Y2RlY2ltYWwKRGVjaW1hbApxAFgDAAAAMS41cQGFcQJScQM=",
  "decimal, protocol 4": "jAdkZWNpbWFslIwHRGVjaW1hbJSTlIwDMS41lIWUUpQ=",
  "fraction, protocol 2": "Y2ZyYWN0aW9ucwpGcmFjdGlvbgpxAEsBSwOGcQFScQI=",
  "fraction, protocol 4": "jAlmcmFjdGlvbnOUjAhGcmFjdGlvbpSTlEsBSwOGlFKU",
  "partial, protocol 2":
    "Y2Z1bmN0b29scwpwYXJ0aWFsCnEAY19fYnVpbHRpbl9fCmxvbmcKcQGFcQJScQMoaAFYAQAAADNxBIVxBX1xBk50cQdi",
  "partial, protocol 4":
    "jAlmdW5jdG9vbHOUjAdwYXJ0aWFslJOUjAhidWlsdGluc5SMA2ludJSTlIWUUpQoaAWMATOUhZR9lE50lGI=",
  "uuid, protocol 2": "Y3V1aWQKVVVJRApxACmBcQF9cQJYAwAAAGludHEDSwVzYg==",
  "uuid, protocol 4": "jAR1dWlklIwEVVVJRJSTlCmBlH2UjANpbnSUSwVzYg==",
  "deque, protocol 2": "Y2NvbGxlY3Rpb25zCmRlcXVlCnEAKVJxAShLAUsCZQ==",
  "deque, protocol 4": "jAtjb2xsZWN0aW9uc5SMBWRlcXVllJOUKVKUKEsBSwJl",
  "counter, protocol 2": "Y2NvbGxlY3Rpb25zCkNvdW50ZXIKcQB9cQEoWAEAAABhcQJLAlgBAAAAYnEDSwF1hXEEUnEF",
  "counter, protocol 4": "jAtjb2xsZWN0aW9uc5SMB0NvdW50ZXKUk5R9lCiMAWGUSwKMAWKUSwF1hZRSlA==",
  "defaultdict, protocol 2":
    "Y2NvbGxlY3Rpb25zCmRlZmF1bHRkaWN0CnEAY19fYnVpbHRpbl9fCmxpc3QKcQGFcQJScQNYAQAAAGFxBF1xBUsBYXM=",
  "defaultdict, protocol 4":
    "jAtjb2xsZWN0aW9uc5SMC2RlZmF1bHRkaWN0lJOUjAhidWlsdGluc5SMBGxpc3SUk5SFlFKUjAFhlF2USwFhcw==",
  "class, protocol 2": "Y19fbWFpbl9fCkNvbmZpZwpxAA==",
  "class, protocol 4": "jAhfX21haW5fX5SMBkNvbmZpZ5STlA==",
  "function, protocol 2": "Y19fYnVpbHRpbl9fCmxlbgpxAA==",
  "function, protocol 4": "jAhidWlsdGluc5SMA2xlbpSTlA==",
  "odd keys, protocol 2":
    "fXEAKE5LAUsBSwKGcQFLAohLA2NfX21haW5fXwpDb2xvcgpxAksChXEDUnEESwRjcGF0aGxpYgpQdXJlUG9zaXhQYXRoCnEFWAEAAABrcQaFcQdScQhLBXU=",
  "odd keys, protocol 4":
    "fZQoTksBSwFLAoaUSwKISwOMCF9fbWFpbl9flIwFQ29sb3KUk5RLAoWUUpRLBIwHcGF0aGxpYpSMDVB1cmVQb3NpeFBhdGiUk5SMAWuUhZRSlEsFdQ==",
  "simple namespace, protocol 2": "Y3R5cGVzClNpbXBsZU5hbWVzcGFjZQpxAClScQF9cQJYAQAAAGFxA0sBc2I=",
  "simple namespace, protocol 4": "jAV0eXBlc5SMD1NpbXBsZU5hbWVzcGFjZZSTlClSlH2UjAFhlEsBc2I=",
  "range, protocol 2": "Y19fYnVpbHRpbl9fCnhyYW5nZQpxAEsASwNLAYdxAVJxAg==",
  "range, protocol 4": "jAhidWlsdGluc5SMBXJhbmdllJOUSwBLA0sBh5RSlA==",
  "slice, protocol 2": "Y19fYnVpbHRpbl9fCnNsaWNlCnEASwFLAk6HcQFScQI=",
  "slice, protocol 4": "jAhidWlsdGluc5SMBXNsaWNllJOUSwFLAk6HlFKU",
  "random, protocol 2": "SwOFcQA=",
  "random, protocol 4": "SwOFlA==",
  "numpy float, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEAY251bXB5CmR0eXBlCnEBWAIAAABmOHECiYiHcQNScQQoSwNYAQAAADxxBU5OTkr/////Sv////9LAHRxBmJjX2NvZGVjcwplbmNvZGUKcQdYCQAAAAAAAAAAAMOgP3EIWAYAAABsYXRpbjFxCYZxClJxC4ZxDFJxDQ==",
  "numpy float, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwGc2NhbGFylJOUjAVudW1weZSMBWR0eXBllJOUjAJmOJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRiQwgAAAAAAADgP5SGlFKU",
  "numpy integer, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEAY251bXB5CmR0eXBlCnEBWAIAAABpOHECiYiHcQNScQQoSwNYAQAAADxxBU5OTkr/////Sv////9LAHRxBmJjX2NvZGVjcwplbmNvZGUKcQdYCAAAAAMAAAAAAAAAcQhYBgAAAGxhdGluMXEJhnEKUnELhnEMUnEN",
  "numpy integer, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwGc2NhbGFylJOUjAVudW1weZSMBWR0eXBllJOUjAJpOJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRiQwgDAAAAAAAAAJSGlFKU",
  "numpy bool, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKc2NhbGFyCnEAY251bXB5CmR0eXBlCnEBWAIAAABiMXECiYiHcQNScQQoSwNYAQAAAHxxBU5OTkr/////Sv////9LAHRxBmJjX2NvZGVjcwplbmNvZGUKcQdYAQAAAAFxCFgGAAAAbGF0aW4xcQmGcQpScQuGcQxScQ0=",
  "numpy bool, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwGc2NhbGFylJOUjAVudW1weZSMBWR0eXBllJOUjAJiMZSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0sAdJRiQwEBlIaUUpQ=",
  "numpy array, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKX3JlY29uc3RydWN0CnEAY251bXB5Cm5kYXJyYXkKcQFLAIVxAmNfY29kZWNzCmVuY29kZQpxA1gBAAAAYnEEWAYAAABsYXRpbjFxBYZxBlJxB4dxCFJxCShLAUsDhXEKY251bXB5CmR0eXBlCnELWAIAAABmNHEMiYiHcQ1ScQ4oSwNYAQAAADxxD05OTkr/////Sv////9LAHRxEGKJaANYDQAAAAAAAAAAAMKAPwAAAEBxEWgFhnESUnETdHEUYg==",
  "numpy array, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwMX3JlY29uc3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFilIeUUpQoSwFLA4WUaAOMBWR0eXBllJOUjAJmNJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRiiUMMAAAAAAAAgD8AAABAlHSUYg==",
  "numpy type, protocol 2":
    "Y251bXB5CmR0eXBlCnEAWAIAAABmNHEBiYiHcQJScQMoSwNYAQAAADxxBE5OTkr/////Sv////9LAHRxBWI=",
  "numpy type, protocol 4":
    "jAVudW1weZSMBWR0eXBllJOUjAJmNJSJiIeUUpQoSwOMATyUTk5OSv////9K/////0sAdJRi",
  "numpy text, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKX3JlY29uc3RydWN0CnEAY251bXB5Cm5kYXJyYXkKcQFLAIVxAmNfY29kZWNzCmVuY29kZQpxA1gBAAAAYnEEWAYAAABsYXRpbjFxBYZxBlJxB4dxCFJxCShLAUsChXEKY251bXB5CmR0eXBlCnELWAIAAABVMnEMiYiHcQ1ScQ4oSwNYAQAAADxxD05OTksISwRLCHRxEGKJaANYEAAAAGEAAAAAAAAAYgAAAGMAAABxEWgFhnESUnETdHEUYg==",
  "numpy text, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwMX3JlY29uc3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFilIeUUpQoSwFLAoWUaAOMBWR0eXBllJOUjAJVMpSJiIeUUpQoSwOMATyUTk5OSwhLBEsIdJRiiUMQYQAAAAAAAABiAAAAYwAAAJR0lGI=",
  "numpy object array, protocol 2":
    "Y251bXB5Ll9jb3JlLm11bHRpYXJyYXkKX3JlY29uc3RydWN0CnEAY251bXB5Cm5kYXJyYXkKcQFLAIVxAmNfY29kZWNzCmVuY29kZQpxA1gBAAAAYnEEWAYAAABsYXRpbjFxBYZxBlJxB4dxCFJxCShLAUsChXEKY251bXB5CmR0eXBlCnELWAIAAABPOHEMiYiHcQ1ScQ4oSwNYAQAAAHxxD05OTkr/////Sv////9LP3RxEGKJXXERKE59cRJYAQAAAGFxE0sBc2V0cRRi",
  "numpy object array, protocol 4":
    "jBZudW1weS5fY29yZS5tdWx0aWFycmF5lIwMX3JlY29uc3RydWN0lJOUjAVudW1weZSMB25kYXJyYXmUk5RLAIWUQwFilIeUUpQoSwFLAoWUaAOMBWR0eXBllJOUjAJPOJSJiIeUUpQoSwOMAXyUTk5OSv////9K/////0s/dJRiiV2UKE59lIwBYZRLAXNldJRi",
  "numpy generator, protocol 2":
    "Y251bXB5LnJhbmRvbS5fcGlja2xlCl9fZ2VuZXJhdG9yX2N0b3IKcQBjbnVtcHkucmFuZG9tLl9waWNrbGUKX19iaXRfZ2VuZXJhdG9yX2N0b3IKcQFjbnVtcHkucmFuZG9tLl9wY2c2NApQQ0c2NApxAoVxA1JxBH1xBShYDQAAAGJpdF9nZW5lcmF0b3JxBlgFAAAAUENHNjRxB1gFAAAAc3RhdGVxCH1xCShoCIoRfrwPMm99bipsddv+S0hbnABYAwAAAGluY3EKihF7k0BXuVeYoZX4RSba8iqSAHVYCgAAAGhhc191aW50MzJxC0sAWAgAAAB1aW50ZWdlcnEMSwB1Y251bXB5LnJhbmRvbS5iaXRfZ2VuZXJhdG9yCl9fcHl4X3VucGlja2xlX1NlZWRTZXF1ZW5jZQpxDWNudW1weS5yYW5kb20uYml0X2dlbmVyYXRvcgpTZWVkU2VxdWVuY2UKcQ5KIqLqA06HcQ9ScRAoSwFLAGNudW1weS5fY29yZS5tdWx0aWFycmF5Cl9yZWNvbnN0cnVjdApxEWNudW1weQpuZGFycmF5CnESSwCFcRNjX2NvZGVjcwplbmNvZGUKcRRYAQAAAGJxFVgGAAAAbGF0aW4xcRaGcRdScRiHcRlScRooSwFLBIVxG2NudW1weQpkdHlwZQpxHFgCAAAAdTRxHYmIh3EeUnEfKEsDWAEAAAA8cSBOTk5K/////0r/////SwB0cSFiiWgUWBoAAADChcOhN8KhwrHDusOiDXjCrg7ClcKBCsOdVHEiaBaGcSNScSR0cSViSwQpdHEmYoZxJ2KFcShScSk=",
  "numpy generator, protocol 4":
    "jBRudW1weS5yYW5kb20uX3BpY2tsZZSMEF9fZ2VuZXJhdG9yX2N0b3KUk5RoAIwUX19iaXRfZ2VuZXJhdG9yX2N0b3KUk5SME251bXB5LnJhbmRvbS5fcGNnNjSUjAVQQ0c2NJSTlIWUUpR9lCiMDWJpdF9nZW5lcmF0b3KUjAVQQ0c2NJSMBXN0YXRllH2UKGgNihF+vA8yb31uKmx12/5LSFucAIwDaW5jlIoRe5NAV7lXmKGV+EUm2vIqkgB1jApoYXNfdWludDMylEsAjAh1aW50ZWdlcpRLAHWMGm51bXB5LnJhbmRvbS5iaXRfZ2VuZXJhdG9ylIwbX19weXhfdW5waWNrbGVfU2VlZFNlcXVlbmNllJOUaBKMDFNlZWRTZXF1ZW5jZZSTlEoiouoDToeUUpQoSwFLAIwWbnVtcHkuX2NvcmUubXVsdGlhcnJheZSMDF9yZWNvbnN0cnVjdJSTlIwFbnVtcHmUjAduZGFycmF5lJOUSwCFlEMBYpSHlFKUKEsBSwSFlGgcjAVkdHlwZZSTlIwCdTSUiYiHlFKUKEsDjAE8lE5OTkr/////Sv////9LAHSUYolDEIXhN6Gx+uINeK4OlYEK3VSUdJRiSwQpdJRihpRihZRSlA==",
};
