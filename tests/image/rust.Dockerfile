# In the place of the image rust: its cargo does not compile, but installs the program that was built outside.
ARG base
FROM $base
COPY streamtally /usr/local/lib/streamtally
COPY cargo.sh /usr/local/bin/cargo
