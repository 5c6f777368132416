/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Made with openssl(1), for these tests only: genrsa, rsa -pubout, dgst -sigopt rsa_pss_saltlen. */

#define RSA_SPKI                                                                                   \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAx3o+VDAQx3C2EJt53VpcGtbFi4EFA/yP"             \
	"EYh38QYxh/qDcJqphMVuxBlf9W+PsjOSlZNr8PJG33adnHuAiZj6vc4o53IiVUCUVjY62i2prd8q"             \
	"stRJC7kK19BOua9O3HMsXMwOkHKGS0y1qEPC/c5ysKJbY9jJvupOiJPPF0XZNTFG7LM/nKag4EKY"             \
	"knyr3PtwsLpiYIRzLY0d+0HIs7EstTQYgPKXcR1iYgcs5s+SbVbl2ReJmYlLqY2SKammC3DOTkGS"             \
	"uhFF9sE8dN2tMBFXSHu/+HVBQkE11+X8VmOiDNOFQhc4uXtNdiKI8p3QvHPSZEm40FOlo2rK4Bhd"             \
	"ClUzpwIDAQAB"                                                                             \
	""

#define RSA_PKCS1                                                                                  \
	"MIIBCgKCAQEAx3o+VDAQx3C2EJt53VpcGtbFi4EFA/yPEYh38QYxh/qDcJqphMVuxBlf9W+PsjOS"             \
	"lZNr8PJG33adnHuAiZj6vc4o53IiVUCUVjY62i2prd8qstRJC7kK19BOua9O3HMsXMwOkHKGS0y1"             \
	"qEPC/c5ysKJbY9jJvupOiJPPF0XZNTFG7LM/nKag4EKYknyr3PtwsLpiYIRzLY0d+0HIs7EstTQY"             \
	"gPKXcR1iYgcs5s+SbVbl2ReJmYlLqY2SKammC3DOTkGSuhFF9sE8dN2tMBFXSHu/+HVBQkE11+X8"             \
	"VmOiDNOFQhc4uXtNdiKI8p3QvHPSZEm40FOlo2rK4BhdClUzpwIDAQAB"                                 \
	""

/* Of "text to sign", with a salt of 32 bytes and of 20. */
#define RSA_SIGNATURE                                                                              \
	"uoGPi+MldDE8W5GIoYhq4JKv20SSlXdn/nlNObYVVkn/qMTIUNXp5jLiPiwepgTZrStVzb5cOl82"             \
	"eZR2XbcxBzGOl8t6bq+K4UyZviOFiEMM1m2sU1c0SofL0B2I7Xv+gdg/Q9cRTXIzabk8PkuhLFBg"             \
	"pcg1X9X5WQOh5VjKefQT3XSGeAaTzTZLsMrL+fKz7cAkpNNtXFJS4bcih5D1N0Y3YMy/f/GZxleo"             \
	"2VWJ2urQQpejOpH00Sxp0UWFh3Bgq3TafB4l/0inutsnXyzfBf4kNQ1uFLdfG0ecCnoz0Vc/GK3d"             \
	"cxdiLsjVEwPfCzNhIsuSZpgMC42R+9g+1Ho3Gw=="                                                 \
	""

#define RSA_SIGNATURE_SALT_20                                                                      \
	"UJWcubHpJ4OaChIXUyt3fa9NI4q6qsW1ZnPLrnujhilxnW0sK6hEiyBOMmYkHdkcIhYTJvkRQE3P"             \
	"r7F5U88yEjkv1bfNK9sNmjQyxR3Rpe+bwK0LtmitMk6Yn1314+eT5W44pkIjipb04Z+3jnspjQ69"             \
	"/28CV5oyd0WWIjC5UpzaD4nsivoBg/SdpaZ9lXXJuxrOpdwGN/ds/lbLddlbpdpXfbjrKywTJ+eE"             \
	"aixfVPucXyFGLOIXTERe5O7dxTZ8ClVnrETJ40QeEOyJ6k7utZCg6BkyQS9l/XApldmwcmTPC3Nd"             \
	"b/mnOk0kantxi5SUoig/ZIumRA53MzOKh2wRTQ=="                                                 \
	""

/* Of 1024 bits. */
#define RSA_SMALL                                                                                  \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1BMlqcl06Tnzo3cjzOf01HRp5OnUyOsXfNcpn"             \
	"cdXuUS0y7SbRtfa94/BhFyTxfkkaIFBQeHY1pdkbXGYtVzB7Utl9RE5/u1+BjSl1ZTQBRX5iXjjy"             \
	"qvYVyyuH5PPsj8sP47h45fHkjw5wkIdAnobBU/W47MWq+Cei+gFEOCblQwIDAQAB"                         \
	""
