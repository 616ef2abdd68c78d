# SPDX-License-Identifier: BSD-2-Clause
load "tests/sim/plot.gnuplot"
set terminal pngcairo size 1000,760 font "Sans,11"
set output dir."/victims.png"
file = dir."/victims.csv"
set xlabel "accesses"
set ylabel "pages waited for in 1,000"
set yrange [0:*]
set key inside
set multiplot layout 2,2 title "Random against coldest victims"
names = "scan loop Zipf moving"
do for [i=1:4] {
	set title word(names, i)
	plot file using 1:(column(2 * i) / 4) lw 2 title "random", file using 1:(column(2 * i + 1) / 4) lw 2 title "coldest"
}
unset multiplot
