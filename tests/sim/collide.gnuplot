# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set output dir."/collide.png"
set title "Sharing found against the width of a page's key"
set xlabel "bits of the key"
set ylabel "% of what there is to find"
set yrange [0:105]
set y2label "pages lost"
set y2tics
set y2range [-1:10]
file = dir."/collide.csv"
plot file using 1:2 with linespoints title "found", file using 1:4 axes x1y2 with linespoints title "pages lost"
