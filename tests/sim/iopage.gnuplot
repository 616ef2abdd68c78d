# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/iopage.png"
set title "Copies for a device that reaches 4 GiB, with other buffers from second 60"
set xlabel "seconds"
set ylabel "copies a second"
set logscale y
set yrange [0.5:*]
set y2label "pages moved in all"
set y2tics
file = dir."/iopage.csv"
plot file using 1:2 lw 2 title "without remapping", file using 1:($3 > 0 ? $3 : 0.5) lw 2 title "with remapping", \
     file using 1:4 axes x1y2 dt 2 title "moved down", file using 1:5 axes x1y2 dt 2 title "moved up"
