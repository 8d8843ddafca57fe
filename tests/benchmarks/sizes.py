"""How large what is served is, in bytes, and how many files there are."""

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20
SMALL = 600  # the one small file
FILES = 3000
SIZES = range(200, 4001)  # the different files
BODIES = [0, *(size * KIBIBYTE for size in (1, 4, 16, 32, 48, 64))]
LARGE = 256 * MEBIBYTE
ORIGINS = 200  # of the nginx that has as many
