#!/bin/sh
# Makes the demo's videos: test patterns with a clock (testsrc2), H.264 and AAC.
set -eu
film() { # name, source, seconds, tone, further options
  name=$1 source=$2 seconds=$3 tone=$4
  shift 4
  ffmpeg -y -loglevel error -f lavfi -i "$source=size=480x270:rate=15:duration=$seconds" \
    -f lavfi -i "sine=frequency=$tone:duration=$seconds" \
    -c:v libx264 -profile:v main -pix_fmt yuv420p -preset veryslow -crf 34 -g 30 \
    -c:a aac -b:a 24k -ac 1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$@" "$name.mp4"
}
film camera-a testsrc2 24 330 -movflags +faststart
film camera-b testsrc 24 220 -movflags +faststart
film interview testsrc2 16 440 -movflags +faststart
film moov-last testsrc 12 550
film accents testsrc2 8 660 -movflags +faststart
